//! Completions and the manual pages, from the definition of the command line and from [`help`](super::help).

use std::io::{self, Write};

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::{Cli, CompletionsArgs, help};
use observer_report::glossary::SECTIONS;

/// Pages describe commands of the system administrator.
const SECTION: &str = "8";

/// The subcommands that have a page of their own.
pub(super) const PAGES: [&str; 12] = [
    "live",
    "record",
    "replay",
    "report",
    "diff",
    "serve",
    "stress",
    "bench",
    "doctor",
    "config",
    "completions",
    "man",
];

pub(crate) fn completions(args: &CompletionsArgs) -> Vec<u8> {
    // Into memory, because the generator panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "observer", &mut script);
    script
}

/// A manual page in roff.
pub(crate) struct Page {
    /// `observer-record.8`.
    pub(crate) file: String,
    pub(crate) roff: Vec<u8>,
}

/// The page of the program, and one for each subcommand.
///
/// # Errors
/// Those of the generator.
pub(crate) fn pages() -> io::Result<Vec<Page>> {
    std::iter::once(None)
        .chain(PAGES.map(Some))
        .map(|command| {
            let name = command.map_or_else(|| "observer".to_owned(), page_name);
            Ok(Page { file: format!("{name}.{SECTION}"), roff: page(command)? })
        })
        .collect()
}

fn page_name(command: &str) -> String {
    format!("observer-{command}")
}

/// The page of a subcommand; `None`: that of the program.
///
/// # Errors
/// Those of the generator.
pub(crate) fn page(command: Option<&str>) -> io::Result<Vec<u8>> {
    let mut program = Cli::command();
    program.build();
    match command.and_then(|name| program.find_subcommand(name)) {
        None => page_of_program(&program),
        Some(subcommand) => page_of_subcommand(subcommand),
    }
}

fn page_of_program(program: &clap::Command) -> io::Result<Vec<u8>> {
    let man = Man::new(program.clone());
    let mut page = Vec::new();
    title(&mut page, "observer")?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    section(&mut page, "COMMANDS")?;
    for subcommand in shown_subcommands(program) {
        let name = page_name(subcommand.get_name());
        item(&mut page, &format!("{name}({SECTION})"), &about(subcommand))?;
    }
    man.render_options_section(&mut page)?;
    render_topic(&mut page, "")?;
    section(&mut page, "GLOSSARY")?;
    for group in SECTIONS {
        writeln!(page, ".SS \"{}\"", roff(group.title))?;
        for term in group.terms {
            item(&mut page, term.name, term.meaning)?;
        }
    }
    see_also(&mut page, PAGES.into_iter().map(page_name))?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn page_of_subcommand(command: &clap::Command) -> io::Result<Vec<u8>> {
    let name = command.get_name();
    let mut page = Vec::new();
    title(&mut page, &page_name(name))?;
    section(&mut page, "NAME")?;
    writeln!(page, "{} \\- {}", roff(&page_name(name)), roff(&about(command)))?;
    render_options(&mut page, command, &format!("observer {name}"))?;
    render_topic(&mut page, name)?;
    let others = help::topic(name).map_or(&[][..], |topic| topic.see_also);
    let program = std::iter::once("observer".to_owned());
    see_also(&mut page, program.chain(others.iter().map(|other| page_name(other))))?;
    Ok(page)
}

/// The arguments are quoted, because an empty one would be left out.
fn title(page: &mut Vec<u8>, name: &str) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(page, ".TH \"{}\" \"{SECTION}\" \"\" \"observer {version}\" \"System Administration\"", roff(name))
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn shown_subcommands(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set() && subcommand.get_name() != "help")
}

/// Synopsis, description and options of a subcommand, or of those below it as subsections.
fn render_options(page: &mut Vec<u8>, command: &clap::Command, typed: &str) -> io::Result<()> {
    let nested: Vec<_> = shown_subcommands(command).collect();
    if nested.is_empty() {
        page.extend(sections(command, typed)?);
        return Ok(());
    }
    section(page, "SYNOPSIS")?;
    for command in &nested {
        writeln!(page, ".B {}\n[OPTIONS]\n.br", roff(&format!("{typed} {}", command.get_name())))?;
    }
    section(page, "DESCRIPTION")?;
    writeln!(page, "{}", roff(&about(command)))?;
    for command in nested {
        let typed = format!("{typed} {}", command.get_name());
        section(page, &typed.to_uppercase())?;
        for line in String::from_utf8_lossy(&sections(command, &typed)?).lines() {
            let line = line.strip_prefix(".SH ").map_or_else(|| line.to_owned(), |title| format!(".SS {title}"));
            writeln!(page, "{line}")?;
        }
    }
    Ok(())
}

fn sections(command: &clap::Command, typed: &str) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone().bin_name(typed));
    let mut sections = Vec::new();
    man.render_synopsis_section(&mut sections)?;
    man.render_description_section(&mut sections)?;
    man.render_options_section(&mut sections)?;
    Ok(sections)
}

/// Examples, environment, files and exit codes.
fn render_topic(page: &mut Vec<u8>, command: &str) -> io::Result<()> {
    let Some(topic) = help::topic(command) else { return Ok(()) };
    section(page, "EXAMPLES")?;
    for example in topic.examples {
        item(page, &help::command_line(example.args), example.what)?;
    }
    section(page, "ENVIRONMENT")?;
    for (name, what) in help::environment() {
        item(page, name, what)?;
    }
    section(page, "FILES")?;
    if topic.files.is_empty() {
        writeln!(page, "None.")?;
    }
    for (path, what) in topic.files.iter().copied().flatten() {
        item(page, path, what)?;
    }
    section(page, "EXIT STATUS")?;
    for exit in topic.exits {
        item(page, &(*exit as u8).to_string(), help::meaning(*exit))?;
    }
    Ok(())
}

fn see_also(page: &mut Vec<u8>, names: impl Iterator<Item = String>) -> io::Result<()> {
    section(page, "SEE ALSO")?;
    let names: Vec<String> = names.map(|name| format!("\\fB{}\\fR({SECTION})", roff(&name))).collect();
    writeln!(page, "{}", names.join(", "))
}

fn section(page: &mut Vec<u8>, title: &str) -> io::Result<()> {
    writeln!(page, ".SH \"{}\"", roff(title))
}

fn item(page: &mut Vec<u8>, term: &str, meaning: &str) -> io::Result<()> {
    writeln!(page, ".TP\n.B {}\n{}", roff(term), roff(meaning))
}

/// Escapes what roff would interpret.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(command: Option<&str>) -> String {
        String::from_utf8(page(command).unwrap()).unwrap()
    }

    #[test]
    fn every_command_that_the_help_lists_has_a_page_and_no_hidden_one_has() {
        let command = Cli::command();
        let shown: Vec<_> = shown_subcommands(&command).map(clap::Command::get_name).collect();
        assert_eq!(shown, PAGES);
        let files: Vec<_> = pages().unwrap().into_iter().map(|page| page.file).collect();
        assert_eq!(
            (files.len(), files[0].as_str(), files[2].as_str()),
            (PAGES.len() + 1, "observer.8", "observer-record.8")
        );
        for page in pages().unwrap() {
            let text = String::from_utf8(page.roff).unwrap();
            assert!(!text.contains(crate::launch::SUBCOMMAND) && !text.contains(crate::cli::WORKLOAD), "{}", page.file);
        }
    }

    #[test]
    fn every_page_has_all_sections_in_section_8() {
        for command in std::iter::once(None).chain(PAGES.map(Some)) {
            let text = text(command);
            let title = command.map_or_else(|| "observer".to_owned(), page_name);
            let head = format!(".TH \"{}\" \"8\" \"\" \"observer ", roff(&title));
            assert!(text.starts_with(&head), "{text}");
            for section in
                ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "ENVIRONMENT", "FILES", "EXIT STATUS", "SEE ALSO"]
            {
                let headings = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
                let count: usize = headings.iter().map(|heading| text.matches(heading).count()).sum();
                assert_eq!(count, 1, "{section} of {title}");
            }
        }
    }

    #[test]
    fn the_page_of_a_command_has_its_options_and_its_exit_codes() {
        let record = text(Some("record"));
        for part in
            ["\\-\\-rotate\\-size", ".B OBSERVER_LOG", ".B FILE.partial", ".B 30\n", "\\fBobserver\\-report\\fR(8)"]
        {
            assert!(record.contains(part), "{part}");
        }
        assert!(!text(Some("diff")).contains(".B 10\n"));
        assert!(text(Some("bench")).contains(".SH \"OBSERVER BENCH SWAPIN\""));
        assert!(text(None).contains(".B oversleep"), "the glossary");
    }

    #[test]
    fn roff_requests_in_text_are_escaped() {
        assert_eq!(roff(".so /etc/passwd -x"), "\\&.so /etc/passwd \\-x");
        assert_eq!(roff(r"a\b"), r"a\eb");
    }
}
