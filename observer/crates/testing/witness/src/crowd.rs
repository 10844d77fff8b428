//! Many tasks inside a swap-in at the same moment: each sleeps in the read of a page of its own, because the swap device
//! lets nobody in a control group read from it. Or all want the same page: one sleeps in its read, the others wait for it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Barrier, Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Failure, Result,
    memory::{Area, Pagemap, fill, holds},
    stopped,
    swap::Swap,
    vmstat_needed,
};

/// Tasks at most: half of what a kernel has numbers for on a small machine.
pub(crate) const MOST_TASKS: u32 = 16_384;
/// Each task's stack: it calls next to nothing.
const STACK: usize = 32 << 10;
/// Where control groups (version 2) are, and the one made here.
const GROUPS: &str = "/sys/fs/cgroup";
const GROUP: &str = "/sys/fs/cgroup/crowd";
/// How long to wait for all tasks to sleep.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long all of them want one page in each round: waiting for a pin is a tick at a time, and a fault each time.
const TOGETHER: Duration = Duration::from_millis(500);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) struct Options {
    pub(crate) tasks: usize,
    pub(crate) rounds: u64,
    /// All want the same page.
    pub(crate) same_page: bool,
    /// Made when all tasks sleep in the last round, which goes on when somebody has removed it.
    pub(crate) tell: Option<PathBuf>,
}

impl Options {
    const fn pages(&self) -> usize {
        if self.same_page { 1 } else { self.tasks }
    }

    const fn page_of(&self, task: usize) -> usize {
        if self.same_page { 0 } else { task }
    }
}

/// A gate before the swap device for all that is in the control group with this process.
struct Gate {
    limit: String,
}

impl Gate {
    /// Open at first. Taken away when dropped.
    fn make(swap: &Swap) -> Result<Self> {
        let remedy = "use a kernel with blk-cgroup throttling, cgroup2 mounted on /sys/fs/cgroup, as root";
        let failed = |what: &str, why: std::io::Error| Failure::new(what.to_owned(), why, remedy);
        fs::write(format!("{GROUPS}/cgroup.subtree_control"), "+io").map_err(|e| failed("having I/O controlled", e))?;
        match fs::create_dir(GROUP) {
            Err(why) if why.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed("making a group", why)),
            _ => {}
        }
        let gate = Self { limit: swap.number_pair()? };
        fs::write(format!("{GROUP}/cgroup.procs"), std::process::id().to_string())
            .map_err(|e| failed("joining the group", e))?;
        gate.set("max")?;
        Ok(gate)
    }

    /// Two bytes a second, the least that the kernel takes: a page would wait for half an hour.
    fn close(&self) -> Result<()> {
        self.set("2")
    }

    fn open(&self) -> Result<()> {
        self.set("max")
    }

    fn set(&self, bytes: &str) -> Result<()> {
        fs::write(format!("{GROUP}/io.max"), format!("{} rbps={bytes}", self.limit)).map_err(|e| {
            Failure::new("limiting reads from the swap device", e, "use a kernel with blk-cgroup throttling")
        })
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.open();
        let _ = fs::write(format!("{GROUPS}/cgroup.procs"), std::process::id().to_string());
        // Its last task may be on its way out of it.
        for _ in 0..100 {
            if fs::remove_dir(GROUP).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        eprintln!("witness: the control group {GROUP} is left\n  to do: rmdir {GROUP}");
    }
}

/// What all tasks share.
struct Shared<'a> {
    area: &'a Area,
    options: &'a Options,
    /// Whether to start, once that is known: only when all tasks are there are the barriers complete.
    start: (Mutex<Option<bool>>, Condvar),
    /// Tasks and whoever directs them.
    all: Barrier,
    /// Touches of this round that are over.
    done: AtomicUsize,
    corrupt: AtomicUsize,
    /// Said by the director, between two barriers.
    halt: AtomicUsize,
    failure: Mutex<Option<Failure>>,
}

pub(crate) fn run(options: &Options) -> Result<Value> {
    let swap = Swap::on(options.tasks * 2 + 1_024)?;
    let gate = Gate::make(&swap)?;
    let area = Area::new(options.pages())?;
    let map = Pagemap::open()?;
    let before = vmstat_needed("pswpin")?;
    for page in 0..options.pages() {
        fill(area.page(page), page as u64);
    }
    let shared = Shared {
        area: &area,
        options,
        start: (Mutex::new(None), Condvar::new()),
        all: Barrier::new(options.tasks + 1),
        done: AtomicUsize::new(0),
        corrupt: AtomicUsize::new(0),
        halt: AtomicUsize::new(0),
        failure: Mutex::new(None),
    };
    let inside = thread::scope(|scope| {
        for task in 0..options.tasks {
            let shared = &shared;
            let made = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || member(shared, task));
            let failed = |why| Failure::new(format!("making task {task}"), why, "ask for fewer, or give more memory");
            if keep(shared, made.map_err(failed)).is_none() {
                shared.decide(false);
                return 0;
            }
        }
        shared.decide(true);
        direct(&shared, &gate, &map)
    });
    if let Some(failure) = shared.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure);
    }
    Ok(json!({
        "tasks": options.tasks,
        "rounds": options.rounds,
        "inside": inside,
        "corrupt": shared.corrupt.load(Ordering::Relaxed),
        "pswpin": vmstat_needed("pswpin")? - before,
    }))
}

/// One task: touches its page once in each round.
fn member(shared: &Shared<'_>, task: usize) {
    if !shared.starts() {
        return;
    }
    let page = shared.options.page_of(task);
    for _ in 0..shared.options.rounds {
        shared.all.wait();
        if shared.halt.load(Ordering::SeqCst) != 0 {
            return;
        }
        let right = holds(shared.area.page(page), page as u64);
        shared.corrupt.fetch_add(usize::from(!right), Ordering::Relaxed);
        shared.done.fetch_add(1, Ordering::SeqCst);
        shared.all.wait();
    }
}

/// Pushes all pages out, closes the gate, lets all tasks touch them, and opens it. The fewest that were inside at once.
fn direct(shared: &Shared<'_>, gate: &Gate, map: &Pagemap) -> usize {
    let options = shared.options;
    let mut fewest = options.tasks;
    for round in 1..=options.rounds {
        let prepared = prepare(options, shared, gate, map);
        if keep(shared, prepared).is_none() || stopped() {
            shared.halt.store(1, Ordering::SeqCst);
            shared.all.wait();
            return fewest;
        }
        shared.all.wait();
        let inside = sleeping_when_settled(shared);
        fewest = fewest.min(inside);
        if options.same_page {
            thread::sleep(TOGETHER);
        }
        if let Some(tell) = options.tell.as_deref().filter(|_| round == options.rounds) {
            keep(shared, hold(tell, inside));
        }
        // Whatever has gone wrong: without this nobody gets on.
        keep(shared, gate.open());
        shared.all.wait();
    }
    fewest
}

fn keep<T>(shared: &Shared<'_>, result: Result<T>) -> Option<T> {
    let keep = |failure| {
        shared.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    };
    result.map_err(keep).ok()
}

fn prepare(options: &Options, shared: &Shared<'_>, gate: &Gate, map: &Pagemap) -> Result<()> {
    let out = shared.area.page_out_all(map, 0, options.pages())?;
    if out < options.pages() && !stopped() {
        let why = format!("{out} of {} went", options.pages());
        return Err(Failure::new("paging out", why, "run it alone on the machine; try again"));
    }
    shared.done.store(0, Ordering::SeqCst);
    gate.close()
}

/// How many tasks of this process sleep for a disk, once all do that are not done, or patience ends.
fn sleeping_when_settled(shared: &Shared<'_>) -> usize {
    let started = Instant::now();
    loop {
        let sleeping = sleeping();
        let done = shared.done.load(Ordering::SeqCst);
        if sleeping + done >= shared.options.tasks || started.elapsed() > PATIENCE || stopped() {
            return sleeping;
        }
        thread::sleep(LOOK);
    }
}

impl Shared<'_> {
    /// Tells the tasks whether to start.
    fn decide(&self, start: bool) {
        *self.start.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(start);
        self.start.1.notify_all();
    }

    /// Waits until that is decided.
    fn starts(&self) -> bool {
        let decided = self.start.0.lock().unwrap_or_else(PoisonError::into_inner);
        let undecided = |decided: &mut Option<bool>| decided.is_none();
        let decided = self.start.1.wait_while(decided, undecided).unwrap_or_else(PoisonError::into_inner);
        decided.unwrap_or(false)
    }
}

/// Tasks of this process in uninterruptible sleep.
fn sleeping() -> usize {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return 0 };
    let sleeps = |task: &Path| {
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('D'))
    };
    tasks.flatten().filter(|task| sleeps(&task.path())).count()
}

/// Tells how many are inside, and waits until somebody has taken note.
fn hold(tell: &Path, inside: usize) -> Result<()> {
    fs::write(tell, format!("{inside}\n"))
        .map_err(|e| Failure::new(format!("writing {}", tell.display()), e, "name a file that can be made"))?;
    while tell.exists() && !stopped() {
        thread::sleep(LOOK);
    }
    Ok(())
}
