//! The exporter as the systemd unit starts it: no root, two capabilities.

use super::{
    checks::{Checked, Finished, ensure, number, witness},
    steps::{Era, Step},
};

/// First with kprobes where the kernel wants more than `CAP_PERFMON` for them, which must be told. Then it serves, while a program swaps in; the last page must hold what that program counted.
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
    // The later kernels of the trials are content with the capability.
    let told = era != Era::Unfixed || finished.stdout.contains("perf_event_paranoid=2");
    ensure(told, || "kprobes were refused without a word of kernel.perf_event_paranoid".to_owned())?;
    let own = number(&witness(finished)?, "/pswpin")?;
    let line = |name: &str| finished.stdout.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    ensure(line("Uid:").is_some_and(|ids| !ids.split_whitespace().any(|id| id == "0")), || {
        format!("it ran as root, or not at all: {}", finished.stderr.trim())
    })?;
    for set in ["CapEff:", "CapBnd:"] {
        ensure(line(set) == Some("000000c000000000"), || format!("{set} {}", line(set).unwrap_or("none")))?;
    }
    ensure(line("NoNewPrivs:") == Some("1"), || "privileges could come back".to_owned())?;
    ensure(!finished.stdout.contains("another route"), || "there is a route besides /metrics and /health".to_owned())?;
    let count = |path: &str| {
        let sample = format!("observer_swapins_total{{path=\"{path}\"}}");
        line(&sample).and_then(|value| value.parse::<u64>().ok()).ok_or_else(|| format!("no {sample} on the page"))
    };
    let seen = count("direct")? + count("cached")?;
    ensure(seen == own, || format!("{seen} swap-ins exported, {own} measured"))?;
    ensure(own > 0, || "nothing was swapped in".to_owned())?;
    finished.expect_code(0)?;
    Ok(format!("{own} swap-ins exported by user 65534 with CAP_BPF and CAP_PERFMON"))
}
