//! Many swap-ins, counted by the kernel and checked word by word.

use std::{
    sync::{
        Barrier, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::{
    failure::{Failure, Result},
    host::{pin_to, vmstat, vmstat_required},
    memory::{Area, Kind, Pagemap, fill, holds, holds_from},
    signals::stopped,
    swap::Swap,
};

/// With `--shared` each thread writes a separate word of every page.
const MAX_THREADS: i64 = 256;

/// Pages of a folio. With `--folios`, threads access the pages of a folio in different orders.
const FOLIO: usize = 16;

#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a command-line option")]
pub(crate) struct Options {
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pages: u32,
    /// At most as many as pages
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MAX_THREADS))]
    threads: u32,
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// All threads access the same pages
    #[arg(long)]
    shared: bool,
    /// On the swap that is in use
    #[arg(long)]
    here: bool,
    /// Pages of shmem
    #[arg(long, conflicts_with = "folios")]
    shmem: bool,
    /// Large folios
    #[arg(long)]
    folios: bool,
}

impl Options {
    pub(crate) fn check(&self) -> Result<()> {
        if self.threads <= self.pages {
            return Ok(());
        }
        let why = format!("{} threads for {} pages", self.threads, self.pages);
        Err(Failure::new("sharing the pages", why, "give at least one page for each thread"))
    }

    const fn pages(&self) -> usize {
        self.pages as usize
    }

    const fn threads(&self) -> usize {
        self.threads as usize
    }

    const fn kind(&self) -> Kind {
        match (self.shmem, self.folios) {
            (true, _) => Kind::Shmem,
            (false, true) => Kind::Folios,
            (false, false) => Kind::Small,
        }
    }

    fn area(&self, pages: usize) -> Result<Area> {
        Area::of(pages, self.kind())
    }
}

/// Sums over all threads.
#[derive(Default)]
struct Tally {
    /// Page touches.
    touched: AtomicU64,
    /// Pages that were swapped out right before they were touched.
    out: AtomicU64,
    /// Pages with other contents than written last.
    corrupt: AtomicU64,
    failure: Mutex<Option<Failure>>,
}

impl Tally {
    fn add(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// Keeps the first failure.
    fn keep(&self, result: Result<()>) {
        if let Err(failure) = result {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
    }

    fn failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

pub(crate) fn run(options: &Options) -> Result<Value> {
    options.check()?;
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    // Twice the pages: some slots are in per-CPU caches or belong to pages in the swap cache.
    let _swap = (!options.here).then(|| Swap::on(options.pages() * 2 + 1024)).transpose()?;
    let tally = Tally::default();
    let before = vmstat_required("pswpin")?;
    let out_before = vmstat_required("pswpout")?;
    let zero_before = vmstat("swpin_zero")?;
    if options.shared {
        shared(options, cpus, &tally)?;
    } else {
        thread::scope(|scope| {
            for thread in 0..options.threads() {
                let tally = &tally;
                scope.spawn(move || tally.keep(private(options, thread, cpus, tally)));
            }
        });
    }
    let after = vmstat_required("pswpin")?;
    let mut report = json!({
        "pswpin_before": before,
        "pswpin_after": after,
        "pswpin": after - before,
        "pswpout": vmstat_required("pswpout")? - out_before,
        "touched": tally.touched.load(Ordering::Relaxed),
        "out": tally.out.load(Ordering::Relaxed),
        "corrupt": tally.corrupt.load(Ordering::Relaxed),
    });
    if let (Some(before), Some(after), Some(fields)) = (zero_before, vmstat("swpin_zero")?, report.as_object_mut()) {
        fields.insert("swpin_zero".to_owned(), json!(after - before));
    }
    match tally.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None => Ok(report),
    }
}

/// Different for every thread, page and round.
fn tag(thread: usize, page: usize, round: u64) -> u64 {
    (thread as u64) << 56 | (page as u64) << 32 | round
}

/// One thread with a private mapping.
fn private(options: &Options, thread: usize, cpus: usize, tally: &Tally) -> Result<()> {
    pin_to(thread % cpus)?;
    // The last thread gets the remainder.
    let share = options.pages() / options.threads();
    let pages = if thread + 1 == options.threads() { options.pages() - share * thread } else { share };
    let area = options.area(pages)?;
    let map = Pagemap::open()?;
    for page in (0..pages).take_while(|_| !stopped()) {
        fill(area.page(page), tag(thread, page, 0));
    }
    for round in 1..=options.rounds {
        let out = area.page_out_all(&map, 0, pages)?;
        if stopped() {
            break;
        }
        Tally::add(&tally.out, out);
        for page in (0..pages).take_while(|_| !stopped()) {
            let words = area.page(page);
            Tally::add(&tally.corrupt, usize::from(!holds(words, tag(thread, page, round - 1))));
            fill(words, tag(thread, page, round));
            Tally::add(&tally.touched, 1);
        }
    }
    Ok(())
}

/// All threads access the same pages at the same time, each writing a separate word of every page.
fn shared(options: &Options, cpus: usize, tally: &Tally) -> Result<()> {
    let area = options.area(options.pages())?;
    for page in 0..options.pages() {
        fill(area.page(page), tag(0, page, 0));
        area.page(page).iter().take(options.threads()).for_each(|word| word.store(0, Ordering::Relaxed));
    }
    let all = Barrier::new(options.threads());
    let halt = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..options.threads() {
            let (area, all, halt) = (&area, &all, &halt);
            scope.spawn(move || {
                tally.keep(pin_to(thread % cpus));
                let map = Pagemap::open();
                // One thread decides for all, so that no thread waits at a barrier forever.
                let end = || {
                    if all.wait().is_leader() {
                        halt.store(stopped() || tally.failed(), Ordering::SeqCst);
                    }
                    all.wait();
                    halt.load(Ordering::SeqCst)
                };
                for round in 1..=options.rounds {
                    let turn = Turn { options, thread, round, area };
                    // Every CPU drains its batch before any thread pages out.
                    tally.keep(area.page_out(0, 1));
                    all.wait();
                    match &map {
                        Ok(map) => tally.keep(turn.page_out(map, tally)),
                        Err(_) => tally.keep(Pagemap::open().map(drop)),
                    }
                    if end() {
                        break;
                    }
                    turn.touch(tally);
                    // After a signal not all pages were touched, so they are not checked.
                    if end() {
                        break;
                    }
                    turn.check(tally);
                    all.wait();
                }
            });
        }
    });
    Ok(())
}

/// One thread's part in one round.
struct Turn<'a> {
    options: &'a Options,
    thread: usize,
    round: u64,
    area: &'a Area,
}

impl Turn<'_> {
    /// The pages that this thread pages out and checks.
    fn part(&self) -> std::ops::Range<usize> {
        let share = self.options.pages() / self.options.threads();
        let first = share * self.thread;
        first..if self.thread + 1 == self.options.threads() { self.options.pages() } else { first + share }
    }

    fn page_out(&self, map: &Pagemap, tally: &Tally) -> Result<()> {
        let part = self.part();
        Tally::add(&tally.out, self.area.page_out_all(map, part.start, part.len())?);
        Ok(())
    }

    /// Swaps every page in, at the same time as the other threads.
    fn touch(&self, tally: &Tally) {
        for page in (0..self.options.pages()).take_while(|_| !stopped()) {
            if let Some(word) = self.area.page(self.place(page)).get(self.thread) {
                word.store(self.round, Ordering::Relaxed);
            }
            Tally::add(&tally.touched, 1);
        }
    }

    /// The page that this thread touches as its `page`th: in order, except that with folios each thread starts with
    /// another page of the same folio.
    fn place(&self, page: usize) -> usize {
        let turned = page ^ (self.thread % FOLIO);
        if self.options.kind() == Kind::Folios && turned < self.options.pages() { turned } else { page }
    }

    /// Every thread's word must have its last value, and the other words must be unchanged.
    fn check(&self, tally: &Tally) {
        for page in self.part() {
            let words = self.area.page(page);
            let (own, rest) = words.split_at(self.options.threads().min(words.len()));
            let good = own.iter().all(|word| word.load(Ordering::Relaxed) == self.round);
            Tally::add(&tally.corrupt, usize::from(!good || !holds_from(rest, own.len(), tag(0, page, 0))));
        }
    }
}
