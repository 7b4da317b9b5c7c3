//! The laws of the reader, tried on requests that are nearly right.

use proptest::prelude::*;
use tollgate_wire::law;

/// Pieces that make heads and bodies when put together by chance.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "PRI * HTTP/2.0\r\n",
        "Host: a.test\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "X: y\r\n",
        "\r\n",
        "\r",
        "\n",
        "hello",
        "5\r\nhello\r\n",
        "5;x=1\r\n",
        "0\r\n\r\n",
        "0\r\n",
        " ",
        ":",
        "\0",
        "\t",
        ";",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]);
    prop_oneof![
        8 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn how_bytes_are_cut_makes_no_difference(
        cuts in prop::collection::vec(any::<u8>(), 0..12),
        pieces in prop::collection::vec(piece(), 0..24),
    ) {
        let mut data = vec![u8::try_from(cuts.len()).expect("few")];
        data.extend(cuts);
        data.extend(pieces.concat());
        law::fuzz(&data);
    }

    #[test]
    fn no_bytes_are_too_strange(data in prop::collection::vec(any::<u8>(), 0..512)) {
        law::fuzz(&data);
    }
}
