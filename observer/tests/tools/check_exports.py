#!/usr/bin/env python3
"""Reads what `observer report` and `observer serve` write with other programs, and compares the values.

    check_exports.py OBSERVER RECORDING [--out DIR] [--only NAME]...

Needs the packages of requirements.txt, promtool and prometheus (Debian: prometheus), chromium (Debian: chromium) and
node (Debian: nodejs).
Prints one line per check and exits with 1 if one fails. DIR keeps the screenshots, for review.
"""

import argparse
import csv
import decimal
import html.parser
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from trace_processor import TraceError, query

HERE = pathlib.Path(__file__).resolve()
ROOT = HERE.parents[3]
VERDICTS = ["overlap", "lock_wait", "pin_wait", "window", "reuse", "stale_install"]


class Failed(Exception):
    pass


def equal(what, found, expected):
    if found != expected:
        raise Failed(f"{what}: {found!r}, should be {expected!r}")


def near(what, found, expected, share):
    if abs(found - expected) > share * max(abs(expected), 1):
        raise Failed(f"{what}: {found!r}, should be about {expected!r}")


class Tool:
    def __init__(self, observer, recording, out):
        self.observer, self.recording, self.out = observer, recording, out
        self.summary = json.loads(self.report("json"))

    def report(self, form, *extra):
        """A report in one format. The exit codes 10 and 20 are results, not failures."""
        command = [self.observer, "report", *(extra or [self.recording]), "--format", form]
        done = subprocess.run(command, capture_output=True, timeout=300)
        if done.returncode not in (0, 10, 20):
            raise Failed(f"{command}: {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()


def check_hlog(tool):
    """hdrhistogram (PyPI) reads the log: the counts and percentiles are the same, and two logs add up."""
    from hdrh.histogram import HdrHistogram
    from hdrh.log import HistogramLogReader

    def read(text):
        path = tool.out / "check.hlog"
        path.write_text(text)
        tags = {}
        reader = HistogramLogReader(str(path), HdrHistogram(1, 3_600_000_000_000, 3))
        while (histogram := reader.get_next_interval_histogram()) is not None:
            tag = histogram.get_tag()
            if tag in tags:
                tags[tag].add(histogram)
            else:
                tags[tag] = histogram
        return tags

    tags = read(tool.report("hlog"))
    filled = {name: d for name, d in tool.summary["distributions"].items() if d["count"]}
    equal("tags", sorted(tags), sorted(filled))
    for name, d in filled.items():
        histogram = tags[name]
        equal(f"{name} count", histogram.get_total_count(), d["count"])
        for per_mille, key in [(500, "p50_ns"), (900, "p90_ns"), (990, "p99_ns"), (999, "p999_ns")]:
            # This library rounds the rank of a percentile to the nearest; observer rounds it up, as newer libraries do.
            rank = -(-per_mille * d["count"] // 1000)
            equal(f"{name} {key}", histogram.get_value_at_percentile(100 * rank / d["count"]), d[key])
        equal(f"{name} max", histogram.get_max_value(), d["max_ns"])
    copy = tool.out / "copy.obs"
    shutil.copyfile(tool.recording, copy)
    twice = read(tool.report("hlog") + tool.report("hlog", str(copy)))
    for name, d in filled.items():
        equal(f"{name} count of two hosts", twice[name].get_total_count(), 2 * d["count"])
    return f"{len(tags)} distributions, {sum(d['count'] for d in filled.values())} values"


def check_ndjson(tool):
    """Python's json reads every line; each conforms to the published schema."""
    import jsonschema
    schema = json.loads((ROOT / "docs/schema/finding-2.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    lines = [json.loads(line) for line in tool.report("ndjson").splitlines()]
    equal("lines", len(lines), len(tool.summary["findings"]))
    for line, finding in zip(lines, tool.summary["findings"]):
        validator.validate(line)
        equal("keys that the schema lacks", sorted(set(line) - set(schema["properties"])), [])
        equal("finding", {k: v for k, v in line.items() if k in finding}, finding)
    for line in lines[:1]:
        equal("the schema rejects an unknown verdict", validator.is_valid(dict(line, verdict="nonsense")), False)
    return f"{len(lines)} findings"


def check_csv(tool):
    """Python's csv reads the values of the JSON from every row, and writes the same text."""
    text = tool.report("csv")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    rows = list(reader)
    equal("rows", len(rows), len(tool.summary["findings"]))
    for row, finding in zip(rows, tool.summary["findings"]):
        equal("verdict", row["verdict"], finding["verdict"])
        equal("entry", row["entry"], finding["entry"])
        for name in ("address", "mm", "cgroup"):
            equal(name, row[name], finding[name])
        equal("comm", row["reader_comm"], finding["reader"]["comm"])
        for name in ("start_ns", "read_start_ns", "end_ns", "changes"):
            equal(name, int(row[name]), finding[name])
        for name in ("freed", "allocated", "written"):
            action = finding[name]
            equal(name, row[f"{name}_ns"], str(action["at_ns"]) if action else "")
        equal("installed", row["installed"], str(finding["installed"]).lower())
    again = io.StringIO(newline="")
    writer = csv.DictWriter(again, reader.fieldnames)
    writer.writeheader()
    writer.writerows(rows)
    equal("written back", again.getvalue(), text)
    return f"{len(rows)} rows"


def expected_samples(summary):
    """Samples that must be there: name, labels, value."""
    for verdict in VERDICTS:
        yield "observer_verdicts_total", {"verdict": verdict}, summary["verdicts"][verdict]
    for path in ("direct", "cached"):
        yield "observer_swapins_total", {"path": path}, summary["swapins"][path]
    for path in ("direct", "cached", "none"):
        yield "observer_faults_total", {"path": path}, summary["faults"][path]
        yield "observer_fault_seconds_count", {"path": path}, summary["distributions"][f"fault_{path}"]["count"]
    for name in ("overlap", "pin_hold", "pin_wait", "oversleep", "window"):
        yield f"observer_{name}_seconds_count", {}, summary["distributions"][name]["count"]
    for cause, count in summary["dropped"].items():
        yield "observer_dropped_total", {"cause": cause}, count
    yield "observer_faults_started_total", {}, summary["faults"]["started"]
    yield "observer_pins_total", {"result": "taken"}, summary["pins"]["taken"]
    yield "observer_folio_lock_failed_total", {"by": "other"}, summary["locks"]["failed"]
    yield "observer_records_total", {}, summary["overhead"]["records"]
    for code in ("data_loss", "possible_windows", "waits_only", "nothing_seen", "inconclusive"):
        yield "observer_headline", {"code": code}, summary["headline"]["code"] == code


def check_openmetrics(tool):
    """The OpenMetrics parser of prometheus-client (PyPI) reads the same values; buckets add up; labels are known ones."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    text = tool.report("openmetrics")
    equal("end", text.endswith("# EOF\n"), True)
    families = list(text_string_to_metric_families(text))
    samples = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}
    for name, labels, value in expected_samples(tool.summary):
        equal(f"{name}{labels}", samples.get((name, tuple(sorted(labels.items())))), float(value))
    for family in families:
        if family.type == "histogram":
            check_buckets(family)
    labels = {label for f in families for s in f.samples for label in s.labels}
    equal("labels", sorted(labels - {"le", "path", "verdict", "cause", "result", "event", "mode", "option", "hook", "by", "kind", "device", "program", "list",
                                     "release", "arch", "state", "tool", "code"}), [])
    return f"{len(families)} families, {len(samples)} samples"


def check_buckets(family):
    series = {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        series.setdefault(labels, []).append(sample)
    for labels, samples in series.items():
        buckets = [s.value for s in samples if s.name.endswith("_bucket")]
        count = next(s.value for s in samples if s.name.endswith("_count"))
        equal(f"{family.name}{labels} buckets grow", buckets, sorted(buckets))
        bounds = [s.labels["le"] for s in samples if s.name.endswith("_bucket")]
        equal("round bounds", {bound.replace(".", "").strip("0") for bound in bounds}, {"1", "25", "5", "+Inf"})
        equal(f"{family.name}{labels} last bucket", buckets[-1], count)


class Serving:
    """`observer serve` of the recording, on a free port of loopback."""

    def __init__(self, tool):
        self.tool = tool

    def __enter__(self):
        command = [self.tool.observer, "serve", "--replay", self.tool.recording, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        match = re.search(r"http://(\S+)/metrics", line)
        if not match:
            raise Failed(f"serve printed {line!r}")
        self.address = match[1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def get(self, path, accept="*/*"):
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()


def check_promtool(tool):
    """promtool accepts the older text format and the rules, and the tests of the rules pass."""
    with Serving(tool) as serving:
        page = serving.get("/metrics")
        equal("health", serving.get("/healthz"), "ok\n")
    done = subprocess.run(["promtool", "check", "metrics"], input=page.encode(), capture_output=True, timeout=60)
    equal("promtool check metrics", (done.returncode, done.stdout + done.stderr), (0, b""))
    rules = ROOT / "packaging/prometheus/rules.yml"
    done = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, timeout=60)
    equal("promtool check rules", done.returncode, 0)
    tests = ROOT / "packaging/prometheus/rules_test.yml"
    done = subprocess.run(["promtool", "test", "rules", str(tests)], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Failed(f"promtool test rules: {done.stdout}{done.stderr}")
    return f"{len(page.splitlines())} lines"


def check_prometheus(tool):
    """A Prometheus server scrapes it; its answers are the counts of the report."""
    with Serving(tool) as serving, tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "prometheus.yml")
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            f"rule_files: [{json.dumps(str(ROOT / 'packaging/prometheus/rules.yml'))}]\n"
            f"scrape_configs: [{{job_name: observer, static_configs: [{{targets: ['{serving.address}']}}]}}]\n")
        port = free_port()
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
                   f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        server = subprocess.Popen(command)
        try:
            return ask_prometheus(tool, f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
            server.wait(30)


def ask_prometheus(tool, base):
    def query(text):
        url = f"{base}/api/v1/query?" + urllib.parse.urlencode({"query": text})
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    deadline = time.monotonic() + 60
    while True:
        try:
            if query("up == 1") and query("observer_fault_seconds_count"):
                break
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise Failed("Prometheus did not scrape within a minute")
        time.sleep(0.5)
    asked = 0
    for name, labels, value in expected_samples(tool.summary):
        selector = ",".join(f'{k}="{v}"' for k, v in labels.items())
        result = query(f"sum({name}{{{selector}}})")
        equal(f"query {name}{labels}", [float(r["value"][1]) for r in result], [float(value)])
        asked += 1
    verdicts = query("sum(observer_verdicts_total)")[0]["value"][1]
    equal("all verdicts", float(verdicts), float(sum(tool.summary["verdicts"].values())))
    # Bounds differ by a factor of two to 2.5, so a quantile from buckets is within it.
    for path in ("direct", "cached"):
        text = f'histogram_quantile(0.9, observer_fault_seconds_bucket{{path="{path}"}})'
        found = float(query(text)[0]["value"][1])
        distribution = tool.summary["distributions"][f"fault_{path}"]
        if not distribution["count"]:
            # Prometheus' answer for no values.
            equal(text, str(found), "nan")
            continue
        expected = distribution["p90_ns"] / 1e9
        if not expected / 2.5 <= found <= expected * 2.5:
            raise Failed(f"{text}: {found}, should be about {expected}")
    return f"{asked} queries"


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


ENTRY_STATES = {"in use", "free", "allocated", "being written", "written"}


def check_perfetto(tool):
    """Python's json reads the trace; its events conform to the trace-event format: slices of a track nest, each flow starts
    and ends within a slice, and tracks and processes have one name each."""
    trace = json.loads(tool.report("perfetto"), parse_float=decimal.Decimal)
    events = trace["traceEvents"]
    kinds, started, tracks, named, states = {}, {}, {}, [], []
    for event in events:
        phase = event["ph"]
        kinds[phase] = kinds.get(phase, 0) + 1
        equal("pid", type(event["pid"]), int)
        if phase == "M":
            equal("metadata", event["name"] in ("process_name", "process_sort_index", "thread_name"), True)
            named.append((event["name"], event["pid"], event.get("tid")))
            continue
        track = tracks.setdefault((event["pid"], event["tid"]), [])
        equal("name", bool(event["name"]), True)
        equal("ts", isinstance(event["ts"], (int, decimal.Decimal)) and event["ts"] >= 0, True)
        if phase == "X":
            equal("dur", event["dur"] >= 0, True)
            track.append((event["ts"], event["ts"] + event["dur"]))
            if event["name"] in ENTRY_STATES:
                states.append(event)
        elif phase == "i":
            equal("scope", event["s"], "t")
            track.append((event["ts"], event["ts"]))
        elif phase == "s":
            equal("a flow starts once", event["id"] in started, False)
            started[event["id"]] = event
        elif phase == "f":
            start = started.pop(event["id"])
            equal("flow", (start["name"], start["cat"]), (event["name"], event["cat"]))
            equal("a flow goes forward", start["ts"] <= event["ts"], True)
            equal("binds to what encloses it", event["bp"], "e")
        else:
            raise Failed(f"unknown phase {phase}")
    equal("flows without an end", started, {})
    equal("metadata given twice", len(named), len(set(named)))
    equal("tracks without a name", sorted(set(tracks) - {(pid, tid) for _, pid, tid in named}), [])
    processes = {pid for what, pid, _ in named if what == "process_name"}
    equal("processes without a name", sorted({pid for pid, _ in tracks} - processes), [])
    for event in events:
        if event["ph"] in "sf":
            on = tracks[event["pid"], event["tid"]]
            equal("a slice around each end of a flow", any(a <= event["ts"] <= b for a, b in on), True)
    for name, track in tracks.items():
        nest(name, track)
    for finding in tool.summary["findings"]:
        reader = finding["reader"]
        equal("the reader's track", (reader["pid"], reader["tid"]) in tracks, True)
    faults = [e for e in events if e["ph"] == "X" and e["name"].startswith("swap-in ")]
    equal("slices of faults", len(faults), tool.summary["faults"]["streamed"])
    freed = sum(1 for finding in tool.summary["findings"] if finding["freed"])
    equal("flows", kinds.get("f", 0), freed)
    follow_each_other(faults)
    follow_each_other(states)
    changes = [e for e in events if e["ph"] == "i" and e["name"].startswith("freed ")]
    equal("entries that become free", sum(e["name"] == "free" for e in states), len(changes))
    return ", ".join(f"{count} {phase}" for phase, count in sorted(kinds.items())) + f"; {len(states)} states of entries"


def nest(name, track):
    """Of two slices of a track, one lies within the other or they do not overlap."""
    around = []
    for start, end in sorted(track, key=lambda span: (span[0], -span[1])):
        while around and around[-1] <= start:
            around.pop()
        if around and end > around[-1]:
            raise Failed(f"track {name}: a slice from {start} to {end} is within one that ends at {around[-1]}")
        around.append(end)


# Two slices that overlap in part, and a flow without a start.
MALFORMED = json.dumps({"traceEvents": [
    {"ph": "X", "name": "a", "pid": 1, "tid": 1, "ts": 0, "dur": 10},
    {"ph": "X", "name": "b", "pid": 1, "tid": 1, "ts": 5, "dur": 10},
    {"ph": "f", "name": "c", "pid": 1, "tid": 1, "ts": 6, "cat": "d", "id": 1, "bp": "e"},
]})


def check_importer(tool):
    """Perfetto's own trace processor imports the trace: nothing is dropped, and every time is exact."""
    equal("malformed", sorted(drops(query(MALFORMED.encode(), STATISTICS)[0])),
          ["flow_end_without_start", "slice_drop_overlapping_complete_event"])
    text = tool.report("perfetto")
    statistics, slices, flows, threads = query(
        text.encode(), STATISTICS, "select ts, dur, name from slice", "select count(*) as n from flow",
        "select pid, tid, process.name as process, thread.name as thread from thread join process using (upid)")
    equal("what the importer dropped", drops(statistics), {})
    events = json.loads(text, parse_float=decimal.Decimal)["traceEvents"]
    ns = lambda event, key: int(decimal.Decimal(event.get(key, 0)) * 1000)
    expected = sorted((ns(event, "ts"), ns(event, "dur"), event["name"]) for event in events if event["ph"] in "Xi")
    equal("slices", len(slices), len(expected))
    for found, wanted in zip(sorted((row["ts"], row["dur"], row["name"]) for row in slices), expected):
        equal("slice", found, wanted)
    equal("flows", flows[0]["n"], sum(event["ph"] == "f" for event in events))
    threads = {(row["pid"], row["tid"], row["process"], row["thread"]) for row in threads}
    name = lambda what: {(e["pid"], e.get("tid")): e["args"]["name"] for e in events if e["name"] == what}
    of_process = name("process_name")
    expected = {(pid, tid, of_process[pid, None], thread) for (pid, tid), thread in name("thread_name").items()}
    equal("threads in their processes", sorted(expected - threads), [])
    return f"{len(slices)} slices, {flows[0]['n']} flows"


STATISTICS = "select name, severity, value from stats where value != 0"


def drops(statistics):
    """The statistics of what the importer could not use. Wrong flows count as information to it."""
    used = lambda row: row["severity"] == "info" and not row["name"].startswith(("flow_", "slice_"))
    return {row["name"]: row["value"] for row in statistics if not used(row)}


def follow_each_other(slices):
    """Slices of one track do not overlap: a task is in one page fault at a time, an entry in one state."""
    tracks = {}
    for event in slices:
        tracks.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    for name, track in tracks.items():
        track.sort()
        for (_, end), (start, _) in zip(track, track[1:]):
            if start < end:
                raise Failed(f"track {name}: a slice starts at {start}, but the previous one ends at {end}")


class Page(html.parser.HTMLParser):
    VOID = {"meta", "br", "hr", "img", "input", "link", "source", "line", "rect", "path", "circle", "use", "stop"}

    def __init__(self):
        super().__init__()
        self.stack, self.names, self.outside, self.text = [], {}, [], []
        self.links, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        self.names[tag] = self.names.get(tag, 0) + 1
        for name, value in attrs:
            # Nothing may be loaded or run.
            if name in ("src", "href", "xlink:href", "action", "data") and not (value or "").startswith(("#", "data:image/svg+xml,")):
                self.outside.append((tag, name, (value or "")[:80]))
            if name.startswith("on") or name == "srcset" and not value.startswith("data:image/svg+xml,"):
                self.outside.append((tag, name, value[:80]))
            if name == "id":
                self.ids.append(value)
            if name == "href":
                self.links.append(value.removeprefix("#"))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        equal("closing tag", tag, self.stack.pop() if self.stack else None)

    def handle_data(self, data):
        self.text.append(data)


def check_html(tool):
    """The page is well formed and self-contained; headless Chromium shows it on narrow and wide screens, light and dark,
    without anything beyond the right edge, and prints it."""
    text = tool.report("html")
    page = Page()
    page.feed(text)
    page.close()
    equal("open tags", page.stack, [])
    equal("loaded or run", page.outside, [])
    equal("scripts", page.names.get("script", 0), 0)
    equal("ids", len(page.ids), len(set(page.ids)))
    equal("links without a target", sorted(set(page.links) - set(page.ids)), [])
    filled = sum(1 for d in tool.summary["distributions"].values() if d["count"])
    equal("charts", page.names.get("figure", 0), filled)
    words = " ".join(page.text)
    for number in (tool.summary["swapins"]["seen"], tool.summary["faults"]["started"], tool.summary["verdicts"]["overlap"]):
        shown = f"{number:,}" if number >= 10_000 else str(number)
        equal(f"{shown} is shown", shown in words, True)
    path = tool.out / "report.html"
    path.write_text(text)
    for width in (360, 800, 1600):
        frame = framed(path, width)
        layout(frame, width)
        for name, extra in (("light", []), ("dark", ["--blink-settings=preferredColorScheme=0"])):
            screenshot(frame, tool.out / f"report-{width}-{name}.png", width, extra)
    printed = tool.out / "report.pdf"
    chromium("--disable-javascript", "--no-pdf-header-footer", f"--print-to-pdf={printed}", path.resolve().as_uri())
    equal("a PDF file", printed.read_bytes()[:5], b"%PDF-")
    return f"{len(text)} bytes, {page.names.get('figure', 0)} charts; screenshots in {tool.out}/report-*.png"


def framed(path, width):
    """A page that shows another one in a frame: Chromium has no window that is narrower than 500 pixels. Its script
    reports what lies beyond the right edge."""
    frame = path.with_name(f"frame-{width}.html")
    frame.write_text(f"""<!doctype html><body style="margin:0">
<iframe id="page" src="{path.resolve().as_uri()}" style="width:{width}px;height:4000px;border:0"></iframe><pre id="found"></pre>
<script>page.onload = () => {{
  const all = [...page.contentDocument.querySelectorAll("*")];
  const beyond = all.filter(one => one.getBoundingClientRect().right > {width} + 1).map(one => one.tagName);
  const small = all.filter(one => one.tagName === "IMG" && one.currentSrc.length > 0);
  found.textContent = JSON.stringify({{beyond, width: page.contentDocument.documentElement.scrollWidth,
    images: small.map(one => one.naturalWidth), all: all.length}});
}}</script>""")
    return frame


def layout(frame, width):
    done = chromium("--allow-file-access-from-files", "--virtual-time-budget=5000", "--dump-dom", frame.resolve().as_uri())
    found = re.search(r'<pre id="found">(.+?)</pre>', done.stdout.decode())
    if not found:
        raise Failed(f"{frame}: the page was not loaded")
    found = json.loads(found[1])
    equal(f"beyond the right edge at {width}", (found["width"], found["beyond"]), (width, []))
    if found["all"] < 100:
        raise Failed(f"only {found['all']} elements at {width}")
    # Stacked lanes are 400 pixels wide.
    equal(f"widths of pictures at {width}", set(found["images"]) - {400 if width <= 900 else 1280}, set())


def screenshot(page, picture, width, extra):
    chromium(f"--window-size={max(width, 500)},4000", f"--screenshot={picture}", *extra, page.resolve().as_uri())
    size = picture.stat().st_size if picture.exists() else 0
    if size < 20_000:
        raise Failed(f"{picture} has {size} bytes")


def chromium(*words):
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   f"--user-data-dir={profile}", "--hide-scrollbars", *words]
        done = subprocess.run(command, capture_output=True, timeout=120)
        if done.returncode:
            raise Failed(f"chromium: {done.returncode}: {done.stderr.decode()[-400:]}")
        return done


CHECKS = {
    "hlog": check_hlog,
    "ndjson": check_ndjson,
    "csv": check_csv,
    "openmetrics": check_openmetrics,
    "promtool": check_promtool,
    "prometheus": check_prometheus,
    "perfetto": check_perfetto,
    "importer": check_importer,
    "html": check_html,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("observer")
    parser.add_argument("recording")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=CHECKS)
    args = parser.parse_args()
    out = args.out or pathlib.Path(tempfile.mkdtemp(prefix="observer-exports-"))
    out.mkdir(parents=True, exist_ok=True)
    tool = Tool(args.observer, args.recording, out)
    failed = 0
    for name in args.only or CHECKS:
        try:
            print(f"ok      {name:<12} {CHECKS[name](tool)}", flush=True)
        except (Failed, TraceError, OSError, KeyError, ValueError, ImportError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"FAILED  {name:<12} {type(error).__name__}: {error}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
