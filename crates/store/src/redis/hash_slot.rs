//! Where a cluster keeps a key.

/// Hash slots of a cluster.
pub(super) const SLOTS: u16 = 16_384;

/// The hash slot of a key: CRC-16/XMODEM of the key, or of what stands between its first braces if that is anything,
/// modulo 16384 (Redis Cluster Specification, "Key distribution model" and "Hash tags").
pub(super) fn hash_slot(key: &[u8]) -> u16 {
    crc16(tag(key).unwrap_or(key)) % SLOTS
}

/// What stands between the first `{` and the first `}` after it.
fn tag(key: &[u8]) -> Option<&[u8]> {
    let rest = &key[key.iter().position(|byte| *byte == b'{')? + 1..];
    let length = rest.iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| &rest[..length])
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)])
}

const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        // As `CLUSTER KEYSLOT` of Redis 7.0.15 answers.
        for (key, slot) in [("", 0), ("foo", 12_182), ("123456789", 12_739), ("tollgate:instances", 2_184)] {
            assert_eq!(hash_slot(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn what_stands_in_braces_decides_alone() {
        for (key, tag) in [
            ("{user1000}.following", "user1000"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{bar", "foo{bar"),
            ("foo}bar{", "foo}bar{"),
        ] {
            assert_eq!(hash_slot(key.as_bytes()), crc16(tag.as_bytes()) % SLOTS, "{key}");
        }
    }
}
