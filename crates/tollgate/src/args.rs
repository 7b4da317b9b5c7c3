//! What was typed.

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    /// Serve. The flags are Traefik's.
    Run(&'a [String]),
    /// Say what is wrong with files.
    Check(CheckOptions),
    /// Serve a built-in example.
    Demo,
    /// Ask a running instance how it is. The flags are those it runs with.
    HealthCheck(&'a [String]),
    Version,
    Help,
}

/// What to check and how to say it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CheckOptions {
    /// Static or dynamic configuration files, and directories of dynamic ones.
    pub(crate) files: Vec<String>,
    /// How to say it.
    pub(crate) format: ReportFormat,
}

/// For whom a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    /// A line per problem.
    Text,
    /// One JSON document.
    Json,
}

pub(crate) const USAGE: &str = "\
usage: tollgate run --configFile=traefik.yml     serve; all of Traefik's flags work
       tollgate check FILE…  [--format json]     say what is wrong with configuration files
       tollgate demo                             serve a built-in example
       tollgate healthcheck --configFile=…       ask a running instance how it is
       tollgate version | help";

pub(crate) const HELP: &str = "\
Tollgate is a gateway that reads Traefik's configuration. Its rate limits are exact, and with Redis or
Valkey they are shared by every instance.

usage: tollgate COMMAND

  run          Serve. The static configuration comes from one of, in this order: a file
               (--configFile, or tollgate.yml / traefik.yml, .yaml or .toml in /etc/tollgate,
               /etc/traefik, $XDG_CONFIG_HOME, $HOME/.config or here), flags in Traefik's spelling
               (--entryPoints.web.address=:8000 --providers.file.filename=routes.yml), or environment
               variables (TRAEFIK_ENTRYPOINTS_WEB_ADDRESS=:8000). `run` may be left out.
               SIGTERM ends it in order, SIGUSR1 reopens the log files.

  check FILE…  Say everything that is wrong with static and dynamic configuration files, with file,
               line, path and a hint, and end with 1 if there are errors. A static file is followed
               to the dynamic files it names. --format json for machines.

  demo         Serve a built-in example: a limit in memory before a server that echoes requests.

  healthcheck  Ask the running instance with this static configuration for /ping; 0 if it is well.

  version      Say which version this is.
";

/// Understands the arguments.
pub(crate) fn parse(arguments: &[String]) -> Result<Command<'_>, String> {
    let Some((word, rest)) = arguments.split_first() else {
        return Ok(Command::Help);
    };
    match word.as_str() {
        "run" => Ok(Command::Run(rest)),
        "check" => check(rest).map(Command::Check),
        "demo" if rest.is_empty() => Ok(Command::Demo),
        "demo" => Err(format!("demo takes no arguments, not {:?}", rest.join(" "))),
        "healthcheck" => Ok(Command::HealthCheck(rest)),
        "version" | "--version" | "-V" => Ok(Command::Version),
        "help" | "--help" | "-h" => Ok(Command::Help),
        // As with Traefik, flags alone mean: serve.
        flag if flag.starts_with("--") => Ok(Command::Run(arguments)),
        other => Err(format!("there is no command {other:?}")),
    }
}

fn check(arguments: &[String]) -> Result<CheckOptions, String> {
    let mut options = CheckOptions { files: Vec::new(), format: ReportFormat::Text };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let format = match argument.as_str() {
            "--format" => Some(arguments.next().ok_or("--format needs a value: text or json")?.as_str()),
            other => other.strip_prefix("--format="),
        };
        match format {
            Some("text") => options.format = ReportFormat::Text,
            Some("json") => options.format = ReportFormat::Json,
            Some(other) => return Err(format!("--format is text or json, not {other:?}")),
            None if argument.starts_with('-') => return Err(format!("check does not know {argument:?}")),
            None => options.files.push(argument.clone()),
        }
    }
    if options.files.is_empty() { Err("check needs a file".into()) } else { Ok(options) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn commands() {
        let run = strings(&["run", "--configFile=a.yml"]);
        assert_eq!(parse(&run), Ok(Command::Run(&run[1..])));
        let bare = strings(&["--configFile=a.yml"]);
        assert_eq!(parse(&bare), Ok(Command::Run(&bare[..])));
        for words in [&["check", "a.yml", "--format", "json"][..], &["check", "--format=json", "a.yml"]] {
            let words = strings(words);
            let options = CheckOptions { files: strings(&["a.yml"]), format: ReportFormat::Json };
            assert_eq!(parse(&words), Ok(Command::Check(options)));
        }
        assert_eq!(parse(&[]), Ok(Command::Help));
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for words in [
            &["chek"][..],
            &["check"],
            &["check", "a", "--format"],
            &["check", "a", "--format", "xml"],
            &["demo", "x"],
            &["check", "-x"],
        ] {
            assert!(parse(&strings(words)).is_err(), "{words:?}");
        }
    }
}
