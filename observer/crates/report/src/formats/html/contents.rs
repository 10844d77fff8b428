//! The sections of the page, and the list of links to them.

use super::markup::{Markup, escaped};

/// The page below its head, with the sections that it has so far.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) page: Markup,
    sections: Vec<(&'static str, String)>,
}

impl Body {
    /// Starts a section. `id` is its address within the page.
    pub(super) fn section(&mut self, id: &'static str, title: &str) -> &mut Markup {
        self.page.write(format_args!("<h2 id=\"{id}\">{}</h2>\n", escaped(title)));
        self.sections.push((id, title.to_owned()));
        &mut self.page
    }

    /// The links, and the sections.
    pub(super) fn finish(self) -> (String, String) {
        let mut list = Markup::default();
        list.raw("<nav aria-label=\"Contents\"><ol>\n");
        for (id, title) in &self.sections {
            list.write(format_args!("<li><a href=\"#{id}\">{}</a></li>\n", escaped(title)));
        }
        list.raw("</ol></nav>\n");
        (list.finish(), self.page.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_has_a_link_in_its_order() {
        let mut body = Body::default();
        body.section("findings", "Findings: 2").raw("<p>two</p>\n");
        body.section("counts", "Counts <&>");
        let (list, sections) = body.finish();
        let links: Vec<&str> = list.lines().filter(|line| line.starts_with("<li>")).collect();
        let expected =
            ["<li><a href=\"#findings\">Findings: 2</a></li>", "<li><a href=\"#counts\">Counts &lt;&amp;&gt;</a></li>"];
        assert_eq!(links, expected);
        assert_eq!(
            sections,
            "<h2 id=\"findings\">Findings: 2</h2>\n<p>two</p>\n<h2 id=\"counts\">Counts &lt;&amp;&gt;</h2>\n"
        );
    }
}
