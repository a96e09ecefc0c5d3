//! Lists of CPUs or memory nodes, `0-3,7`, as masks.
//!
//! Called by `scheduling` and `memory_policy`. See cpuset(7), List format.

/// The highest number that is taken: far above any machine, and it bounds the mask.
const HIGHEST: u32 = 64 * 1024;

/// The mask, lowest number in the lowest bit of the first word; empty for an empty list.
pub(crate) fn parse(list: &str) -> Result<Vec<u64>, String> {
    let mut words: Vec<u64> = Vec::new();
    for piece in list.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("{piece:?} runs backwards"));
        }
        for n in first..=last {
            let (word, bit) = (usize::try_from(n / 64).unwrap_or_default(), n % 64);
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            if let Some(w) = words.get_mut(word) {
                *w |= 1 << bit;
            }
        }
    }
    if words.is_empty() && !list.is_empty() {
        return Err(format!("{list:?} names none"));
    }
    Ok(words)
}

fn number(text: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(n) if digits && n <= HIGHEST => Ok(n),
        Ok(_) if digits => Err(format!("{text} is more than {HIGHEST}")),
        _ => Err(format!("{text:?} is no number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_masks() {
        assert_eq!(parse("0-3,7").unwrap(), [0b1000_1111]);
        assert_eq!(parse(" 64, ,1 ").unwrap(), [2, 1]);
        assert_eq!(parse("").unwrap(), Vec::<u64>::new());
        assert_eq!(parse("65536").unwrap().len(), 1025);
    }

    #[test]
    fn bad_lists_say_why() {
        for (list, why) in [
            ("3-1", "\"3-1\" runs backwards"),
            ("a", "\"a\" is no number"),
            ("+1", "\"+1\" is no number"),
            ("1-2-3", "\"2-3\" is no number"),
            ("65537", "65537 is more than 65536"),
            ("99999999999", "\"99999999999\" is no number"),
            (",", "\",\" names none"),
        ] {
            assert_eq!(parse(list).unwrap_err(), why);
        }
    }
}
