//! Names and paths with bytes that are not UTF-8, escape sequences, quotes, ends of lines and formulas. In every output
//! they are escaped.

use serde::Deserialize;

use super::step::{Checked, Era, Finished, Step, ensure};

/// `output NAME PATTERN COMMAND...` runs the command, and prints about what it printed: raw control bytes and bytes that
/// are in no UTF-8, lines with the pattern, and lines with a field that is a formula to a spreadsheet.
macro_rules! output {
    () => {
        "output() { name=$1 pattern=$2; shift 2; \"$@\" >/tmp/output 2>&1; code=$?; \
         raw=$(tr -cd '\\000-\\010\\013\\014\\016-\\037\\177\\376\\377' </tmp/output | wc -c); \
         escaped=$(grep -c \"$pattern\" /tmp/output); formulas=$(grep -cE '(^|,)\"?[=+@-]' /tmp/output); \
         echo \"{\\\"name\\\":\\\"$name\\\",\\\"code\\\":$code,\\\"bytes\\\":$(wc -c </tmp/output),\
         \\\"raw\\\":$raw,\\\"escaped\\\":$escaped,\\\"formulas\\\":$formulas}\"; }; \
         formats='text json ndjson csv hlog openmetrics html perfetto'; "
    };
}

/// A mount point, and on it the node of a swap device.
pub(super) const ODD_PATHS: Step = Step {
    name: "odd-paths",
    command: concat!(
        output!(),
        "odd=$(printf '/tmp/\\377\\376\\033[31m'); mkdir \"$odd\"; mount -t tmpfs none \"$odd\"; \
         swap=$odd/$(printf '\\033]\\377'); modprobe zram num_devices=0; z=zram$(cat /sys/class/zram-control/hot_add); \
         echo 32M >/sys/block/$z/disksize; mknod \"$swap\" b $(tr : ' ' </sys/block/$z/dev); \
         mkswap \"$swap\" >/dev/null 2>&1; swapon \"$swap\"; seen='xff.*xfe.*x1b'; \
         output doctor $seen observer doctor; output doctor-json $seen observer doctor --json; \
         output brief $seen observer record --cgroup / --duration 1s; \
         output device $seen observer record --json --device \"$swap\" --duration 1s; \
         output record $seen observer record --cgroup / -o /tmp/odd.obs -- \
         /witness churn --here --pages 512 --threads 2 --shared --rounds 2; \
         for format in $formats; do output $format $seen observer report --format $format /tmp/odd.obs; done; \
         output refused $seen observer record --device \"$odd\"; \
         swapoff \"$swap\"; echo 1 >/sys/block/$z/reset; rmmod zram; umount \"$odd\"; rmdir \"$odd\"; \
         rm -f /tmp/odd.obs /tmp/output"
    ),
    check: odd_paths,
};

/// A program that is called so, and with it its tasks: it frees and allocates under the read of its victim.
pub(super) const ODD_NAMES: Step = Step {
    name: "odd-names",
    command: concat!(
        output!(),
        "odd=$(printf '=1+1\\033]\\007\\n\"\\047\\377,'); cp /witness \"/tmp/$odd\"; seen='=1+1.*x1b.*x07.*x0a.*xff'; \
         output record $seen observer record -o /tmp/odd.obs --widen 20ms --widen-comm victim -- \
         \"/tmp/$odd\" aba --rounds 20; \
         for format in $formats; do output $format $seen observer report --format $format /tmp/odd.obs; done; \
         output comm $seen observer record --json --comm \"$odd\" -- \
         \"/tmp/$odd\" churn --pages 512 --threads 1 --rounds 1; \
         output diff $seen observer diff /tmp/odd.obs /tmp/odd.obs; \
         output refused $seen observer report \"/tmp/$odd.obs\"; \
         rm -f /tmp/odd.obs /tmp/output \"/tmp/$odd\""
    ),
    check: odd_names,
};

/// Of the shell function `output`.
#[derive(Debug, Deserialize)]
struct Output {
    name: String,
    code: u8,
    bytes: u64,
    /// Bytes that no output has.
    raw: u64,
    /// Lines with the name.
    escaped: u64,
    formulas: u64,
}

const FORMATS: [&str; 8] = ["text", "json", "ndjson", "csv", "hlog", "openmetrics", "html", "perfetto"];

/// Exit codes: nothing found, or a stale install.
const RESULTS: [u8; 2] = [0, 10];

fn odd_paths(_era: Era, finished: &Finished) -> Checked {
    let outputs = outputs(finished, &["doctor", "doctor-json", "brief", "device", "record", "refused"])?;
    named(&outputs, &["doctor", "doctor-json", "device", "json", "refused"])?;
    expect_refusal(&outputs, 2)?;
    Ok(format!("{} outputs", outputs.len()))
}

fn odd_names(era: Era, finished: &Finished) -> Checked {
    let outputs = outputs(finished, &["record", "comm", "diff", "refused"])?;
    named(&outputs, &["record", "json", "text", "html", "perfetto", "comm", "refused"])?;
    if era == Era::Unfixed {
        named(&outputs, &["ndjson", "csv"])?;
    }
    let csv = outputs.iter().find(|output| output.name == "csv");
    ensure(csv.is_some_and(|csv| csv.formulas == 0), || format!("formulas: {csv:?}"))?;
    expect_refusal(&outputs, 4)?;
    Ok(format!("{} outputs", outputs.len()))
}

/// All outputs of a step: those of every format and `others`, without a raw byte.
fn outputs(finished: &Finished, others: &[&str]) -> Result<Vec<Output>, String> {
    let outputs: Vec<Output> = finished.objects()?;
    for name in FORMATS.iter().chain(others) {
        let output = outputs.iter().find(|output| output.name == *name).ok_or_else(|| format!("no {name}"))?;
        // One line for each finding: none where nothing was found.
        let may_be_empty = *name == "ndjson";
        ensure(output.raw == 0 && (output.bytes > 0 || may_be_empty), || format!("{output:?}"))?;
        ensure(*name == "refused" || RESULTS.contains(&output.code), || format!("exit code: {output:?}"))?;
    }
    Ok(outputs)
}

/// That the name is in these outputs.
fn named(outputs: &[Output], names: &[&str]) -> Result<(), String> {
    let without = outputs.iter().find(|output| names.contains(&output.name.as_str()) && output.escaped == 0);
    without.map_or(Ok(()), |output| Err(format!("the name is missing: {output:?}")))
}

fn expect_refusal(outputs: &[Output], code: u8) -> Result<(), String> {
    let refused = outputs.iter().find(|output| output.name == "refused");
    ensure(refused.is_some_and(|refused| refused.code == code), || format!("{refused:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::step::finished, *};

    fn checked(era: Era, change: impl Fn(&str, &mut Value)) -> Checked {
        let text: String = FORMATS
            .iter()
            .chain(&["record", "comm", "diff", "refused"])
            .map(|name| {
                let code = if *name == "refused" { 4 } else { 0 };
                let mut output =
                    json!({ "name": name, "code": code, "bytes": 9, "raw": 0, "escaped": 1, "formulas": 0 });
                change(name, &mut output);
                output.to_string()
            })
            .collect();
        odd_names(era, &finished(0, &text, ""))
    }

    #[test]
    fn every_output_must_be_there_and_have_the_name_without_a_raw_byte() {
        assert!(checked(Era::Unfixed, |_, _| ()).is_ok(), "{:?}", checked(Era::Unfixed, |_, _| ()));
        let with = |era, of: &str, key: &str, value: u64| {
            checked(era, |name, output| {
                if name == of {
                    output[key] = value.into();
                }
            })
        };
        assert!(with(Era::Unfixed, "hlog", "raw", 1).is_err());
        assert!(with(Era::Unfixed, "hlog", "bytes", 0).is_err());
        assert!(with(Era::Unfixed, "hlog", "escaped", 0).is_ok(), "it has no names");
        assert!(with(Era::Unfixed, "json", "code", 20).is_err());
        assert!(with(Era::Unfixed, "csv", "formulas", 1).is_err());
        assert!(with(Era::Unfixed, "csv", "escaped", 0).is_err());
        assert!(with(Era::Pinned, "csv", "escaped", 0).is_ok(), "no findings");
        assert!(with(Era::Pinned, "ndjson", "bytes", 0).is_ok(), "no findings");
        assert!(with(Era::Unfixed, "refused", "code", 0).is_err());
        assert!(odd_names(Era::Unfixed, &finished(0, "", "")).is_err());
    }
}
