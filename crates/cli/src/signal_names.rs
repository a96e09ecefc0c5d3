//! Signals by name and number, as kill(1) takes them. Called by `kill`; see signal(7).

/// The first real-time signal that programs may use; the two below belong to the C library.
const SIGRTMIN: i32 = 34;
const SIGRTMAX: i32 = 64;

/// The number of a signal given as a number or as a name with or without `SIG`, in any case.
/// Real-time signals are `RTMIN`, `RTMIN+n`, `RTMAX-n` and `RTMAX`.
pub(crate) fn parse(word: &str) -> Option<i32> {
    if let Ok(number) = word.parse::<i32>() {
        return (0..=SIGRTMAX).contains(&number).then_some(number);
    }
    let upper = word.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    real_time(name).or_else(|| standard(name))
}

fn real_time(name: &str) -> Option<i32> {
    let number = if let Some(offset) = name.strip_prefix("RTMIN") {
        SIGRTMIN.checked_add(distance(offset, '+')?)?
    } else {
        SIGRTMAX.checked_sub(distance(name.strip_prefix("RTMAX")?, '-')?)?
    };
    (SIGRTMIN..=SIGRTMAX).contains(&number).then_some(number)
}

fn distance(text: &str, sign: char) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    let digits = text.strip_prefix(sign)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Names that are the same signal under another name, then the kernel's own, by architecture.
fn standard(name: &str) -> Option<i32> {
    let name = match name {
        "IOT" => "ABRT",
        "CLD" => "CHLD",
        "POLL" => "IO",
        other => other,
    };
    name_to_signal(name).map(rustix::process::Signal::as_raw)
}

fn name_to_signal(name: &str) -> Option<rustix::process::Signal> {
    use rustix::process::Signal;
    Some(match name {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "QUIT" => Signal::QUIT,
        "ILL" => Signal::ILL,
        "TRAP" => Signal::TRAP,
        "ABRT" => Signal::ABORT,
        "BUS" => Signal::BUS,
        "FPE" => Signal::FPE,
        "KILL" => Signal::KILL,
        "USR1" => Signal::USR1,
        "SEGV" => Signal::SEGV,
        "USR2" => Signal::USR2,
        "PIPE" => Signal::PIPE,
        "ALRM" => Signal::ALARM,
        "TERM" => Signal::TERM,
        "CHLD" => Signal::CHILD,
        "CONT" => Signal::CONT,
        "STOP" => Signal::STOP,
        "TSTP" => Signal::TSTP,
        "TTIN" => Signal::TTIN,
        "TTOU" => Signal::TTOU,
        "URG" => Signal::URG,
        "XCPU" => Signal::XCPU,
        "XFSZ" => Signal::XFSZ,
        "VTALRM" => Signal::VTALARM,
        "PROF" => Signal::PROF,
        "WINCH" => Signal::WINCH,
        "IO" => Signal::IO,
        "PWR" => Signal::POWER,
        "SYS" => Signal::SYS,
        #[cfg(not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64")))]
        "STKFLT" => Signal::STKFLT,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn names_need_no_prefix_and_no_case() {
        for word in ["KILL", "SIGKILL", "kill", "sigkill", "9"] {
            assert_eq!(parse(word), Some(9), "{word}");
        }
        assert_eq!(parse("SIGIOT"), Some(6));
    }

    #[test]
    fn real_time_signals_count_from_both_ends() {
        assert_eq!(parse("RTMIN"), Some(34));
        assert_eq!(parse("SIGRTMIN+3"), Some(37));
        assert_eq!(parse("sigrtmax-1"), Some(63));
        assert_eq!(parse("RTMIN+31"), None);
        assert_eq!(parse("RTMIN3"), None);
        assert_eq!(parse("RTMIN++3"), None);
    }

    #[test]
    fn what_is_no_signal_has_no_number() {
        for word in ["", "SIG", "FOO", "-1", "65", "1x"] {
            assert_eq!(parse(word), None, "{word}");
        }
        assert_eq!(parse("0"), Some(0));
    }
}
