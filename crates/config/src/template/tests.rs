use super::*;

fn env(name: &str) -> Option<String> {
    (name == "REGION").then(|| "eu".to_owned())
}

fn rendered(text: &str) -> String {
    render(text, &env).map_or_else(|error| panic!("{text}: {error:?}"), |rendered| rendered.text)
}

fn refused(text: &str) -> (usize, String) {
    let error = render(text, &env).unwrap_err();
    (error.line, error.message)
}

#[test]
fn templates_render_as_in_go_with_sprig() {
    for (template, expected) in [
        ("plain", "plain"),
        ("a {{/* no */}}b", "a b"),
        ("a {{- /* no }} */ -}} b", "ab"),
        ("{{ env \"REGION\" }}", "eu"),
        ("{{ env \"NONE\" | default \"x\" | upper }}", "X"),
        ("{{env `REGION`|quote}}", "\"eu\""),
        ("{{ printf \"%s-%03d-%v%%\" \"a\" 7 true }}", "a-007-true%"),
        ("{{ printf \"%-4s|%4s|%q\" \"a\" \"b\" \"c\\\"\" }}", "a   |   b|\"c\\\"\""),
        ("{{ if eq (env \"REGION\") \"eu\" }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if env \"NONE\" }}a{{ else if eq 1 2 }}b{{ else }}c{{ end }}", "c"),
        ("{{ if and true (not false) }}a{{ end }}", "a"),
        ("{{ or \"\" 0 \"x\" }}", "x"),
        ("{{ range list \"a\" \"b\" }}[{{ . }}]{{ end }}", "[a][b]"),
        ("{{ range $i, $e := list \"a\" \"b\" }}{{ $i }}{{ $e }} {{ end }}", "0a 1b "),
        ("{{ range $i := until 3 }}{{ add1 $i }}{{ end }}", "123"),
        ("{{ range 2 }}{{ . }}{{ end }}", "01"),
        ("{{ range splitList \" \" (seq 2 4) }}<{{ . }}>{{ end }}", "<2><3><4>"),
        ("{{ range list }}x{{ else }}none{{ end }}", "none"),
        ("{{ $x := 1 }}{{ range until 3 }}{{ $x = mul $x 2 }}{{ end }}{{ $x }}", "8"),
        ("{{ with \"v\" }}{{ . }}{{ end }}", "v"),
        ("{{ list 1 \"a\" | toString }}", "[1 a]"),
        ("{{ \"x y\" | replace \" \" \"-\" | trimSuffix \"y\" }}", "x-"),
        ("{{ join \",\" (list 1 2) }}{{ len \"abc\" }}{{ index (list 5 6) 1 }}", "1,236"),
        ("a\n{{- range until 2 }}\n- {{ . }}\n{{- end }}\nb", "a\n- 0\n- 1\nb"),
        ("{{ nindent 2 \"a\\nb\" }}", "\n  a\n  b"),
        ("{{ print \"a\" 1 2 \"b\" }}", "a1 2b"),
        ("{{ nil | quote }}{{ ternary 1 2 true }}", "1"),
    ] {
        let template = template.replace("{{ nil | quote }}", "{{ quote nil }}");
        assert_eq!(rendered(&template), expected, "{template}");
    }
}

#[test]
fn what_is_not_here_is_named_with_its_line() {
    for (template, line, message) in [
        ("\n{{ gotenv \"A\" }}", 2, "function \"gotenv\" not defined"),
        ("{{ envv \"A\" }}", 1, "function \"envv\" not defined"),
        ("{{ if true }}\n", 1, "unexpected EOF: if has no {{end}}"),
        ("a\n{{ end }}", 2, "unexpected {{end}}"),
        ("{{ .Name }}", 1, "unexpected '.' in an action"),
        ("{{ $x.y }}", 1, "fields of variables are not here"),
        ("{{ $x }}", 1, "undefined variable \"$x\""),
        ("{{ define \"x\" }}{{ end }}", 1, "\"define\" is not here"),
        ("{{ \"a }}", 1, "unclosed action"),
        ("{{ (1 }}", 1, "unclosed left paren"),
        ("{{ }}", 1, "missing value for command"),
        ("{{ 1.5 }}", 1, "\"1.5\" is not a whole number"),
        ("{{ eq 1 \"1\" }}", 1, "eq: incompatible types for comparison: int and string"),
        ("{{ upper 1 }}", 1, "upper: wrong type for value; expected string; got int"),
        ("{{ div 1 0 }}", 1, "div: division by zero or overflow"),
        ("{{ range \"abc\" }}{{ end }}", 1, "range can't iterate over a string"),
        ("{{ until 1000000000 }}", 1, "until: the result is longer than 100000"),
        ("{{ repeat 99999 \"aa\" }}", 1, "repeat: the result is longer than 100000"),
        ("{{ 1 | 2 }}", 1, "a pipe leads to a function, not to a value"),
    ] {
        assert_eq!(refused(template), (line, message.to_owned()), "{template}");
    }
    assert!(refused("{{ range 1000000000 }}x{{ end }}").1.starts_with("more than 1000000 steps"));
    assert!(refused(&"{{ if true }}".repeat(100)).1.contains("nest deeper"));
    assert!(refused(&format!("{{{{ {} }}}}", "(".repeat(100))).1.contains("nest deeper"));
}

#[test]
fn a_slip_gets_a_suggestion() {
    let error = render("{{ envv \"A\" }}", &env).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean \"env\"?"));
}

#[test]
fn lines_lead_back_to_the_template() {
    let rendered = render("a:\n{{- range until 2 }}\n  b{{ . }}:\n    c: 1\n{{- end }}\nd: 1\n", &env).unwrap();
    assert_eq!(rendered.text, "a:\n  b0:\n    c: 1\n  b1:\n    c: 1\nd: 1\n");
    let lines: Vec<_> = (1..=6).map(|line| rendered.source_line(line)).collect();
    assert_eq!(lines, [1, 3, 4, 3, 4, 6]);
}
