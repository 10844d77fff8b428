//! The exporter as the systemd unit starts it: without root, with two capabilities.

use super::{
    step::{Checked, Era, Finished, Step, ensure},
    witness::Churn,
};

/// First kprobes are refused if the kernel requires more than `CAP_PERFMON`; the message must name the sysctl. Then the
/// exporter serves while a program swaps in, and its last page must have that program's count.
pub(super) const SERVICE: Step = Step {
    name: "service",
    command: "paranoid=/proc/sys/kernel/perf_event_paranoid; echo 3 >$paranoid; \
              /witness service /bin/observer record --duration 1s --backend kprobe >/tmp/denied 2>&1; \
              grep perf_event_paranoid=2 /tmp/denied; rm /tmp/denied; echo 2 >$paranoid; \
              /witness service /bin/observer serve --listen 127.0.0.1:9842 >&2 & pid=$!; url=http://127.0.0.1:9842; \
              until wget -q -O /dev/null $url/metrics; do kill -0 $pid || exit 1; sleep 1; done; \
              /witness churn --pages 1024 --threads 1 --rounds 4 >&2; sleep 3; \
              grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs):' /proc/$pid/status; wget -q -O - $url/metrics; \
              wget -q -O /dev/null $url/other && echo 'another route'; kill -TERM $pid; wait $pid; code=$?; \
              echo 3 >$paranoid; exit $code",
    check,
};

fn check(era: Era, finished: &Finished) -> Checked {
    // On later kernels the capability is enough.
    let is_named = era != Era::Unfixed || finished.stdout.contains("perf_event_paranoid=2");
    ensure(is_named, || "kprobes were refused without naming kernel.perf_event_paranoid".to_owned())?;
    let own = finished.on_stderr::<Churn>()?.pswpin;
    let line = |name: &str| finished.stdout.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    ensure(line("Uid:").is_some_and(|ids| !ids.split_whitespace().any(|id| id == "0")), || {
        format!("it ran as root or did not run: {}", finished.stderr.trim())
    })?;
    for set in ["CapEff:", "CapBnd:"] {
        ensure(line(set) == Some("000000c000000000"), || format!("{set} {}", line(set).unwrap_or("none")))?;
    }
    ensure(line("NoNewPrivs:") == Some("1"), || "NoNewPrivs is not set".to_owned())?;
    ensure(!finished.stdout.contains("another route"), || {
        "it serves another route than /metrics and /health".to_owned()
    })?;
    let count = |path: &str| {
        let sample = format!("observer_swapins_total{{path=\"{path}\"}}");
        line(&sample).and_then(|value| value.parse::<u64>().ok()).ok_or_else(|| format!("the page has no {sample}"))
    };
    let seen = count("direct")? + count("cached")?;
    ensure(seen == own, || format!("{seen} swap-ins exported, {own} by the witness's count"))?;
    ensure(own > 0, || "nothing was swapped in".to_owned())?;
    finished.expect_code(0)?;
    Ok(format!("{own} swap-ins exported by user 65534 with CAP_BPF and CAP_PERFMON"))
}
