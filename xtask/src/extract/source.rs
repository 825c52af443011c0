//! The newer registry, indexed.

use roxmltree::{Document, Node};
use std::collections::BTreeMap;

/// Indices over a registry document.
pub struct Source<'a> {
    types: BTreeMap<&'a str, Node<'a, 'a>>,
    commands: BTreeMap<&'a str, Node<'a, 'a>>,
    enums: BTreeMap<&'a str, Node<'a, 'a>>,
    /// Values of enumerators.
    pub values: BTreeMap<String, i64>,
    /// Values of API constants.
    pub constants: BTreeMap<String, i64>,
    root: Node<'a, 'a>,
}

/// Everything a node says.
pub fn text(n: Node<'_, '_>) -> String {
    n.descendants().filter(|d| d.is_text()).filter_map(|d| d.text()).collect::<String>().trim().to_owned()
}

/// What the first child of this kind says.
pub fn child(n: Node<'_, '_>, tag: &str) -> Option<String> {
    descend(n, tag).map(text)
}

/// The first child of this kind.
pub fn descend<'a>(n: Node<'a, 'a>, tag: &str) -> Option<Node<'a, 'a>> {
    n.children().find(|c| c.has_tag_name(tag))
}

/// Whether the row is for Vulkan and not only for a relative.
pub fn for_vulkan(n: Node<'_, '_>) -> bool {
    n.attribute("api").is_none_or(|a| a.split(',').any(|x| x == "vulkan"))
}

/// Members or parameters.
pub fn declarations<'a>(n: Node<'a, 'a>, tag: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    n.children().filter(move |c| c.has_tag_name(tag) && for_vulkan(*c))
}

/// Text as XML.
pub fn escape(s: &str) -> String {
    s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The extensions that a `depends` expression asks for. Of alternatives the first extension stands for all, since the
/// others are the core versions it became part of or extensions of the same content.
pub fn requires(depends: &str) -> Vec<String> {
    let mut depth = 0usize;
    let mut terms = vec![String::new()];
    for c in depends.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match c {
            '+' if depth == 0 => terms.push(String::new()),
            _ => {
                if let Some(t) = terms.last_mut() {
                    t.push(c);
                }
            }
        }
    }
    let alternatives = |t: &String| {
        t.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .find(|n| n.starts_with("VK_") && !n.contains("_VERSION_"))
            .map(str::to_owned)
    };
    terms.iter().filter_map(alternatives).collect()
}

fn number(v: &str) -> Option<i64> {
    let v = v.trim().trim_end_matches("ULL").trim_end_matches('U');
    match v.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => v.parse().ok(),
    }
}

impl<'a> Source<'a> {
    /// Indexes a document.
    pub fn new(doc: &'a Document<'a>) -> Self {
        let mut s = Self {
            types: BTreeMap::new(),
            commands: BTreeMap::new(),
            enums: BTreeMap::new(),
            values: BTreeMap::new(),
            constants: BTreeMap::new(),
            root: doc.root_element(),
        };
        for n in s.root.descendants().filter(|n| n.is_element() && for_vulkan(*n)) {
            match n.tag_name().name() {
                "type" if n.attribute("category").is_some() => s.index_type(n),
                "command" => s.index_command(n),
                "enums" => {
                    if let Some(name) = n.attribute("name") {
                        s.enums.insert(name, n);
                    }
                }
                _ => {}
            }
        }
        s.index_values();
        s
    }

    fn index_type(&mut self, n: Node<'a, 'a>) {
        let own = n.attribute("name").or_else(|| descend(n, "name").and_then(|c| c.text()));
        let own = own.or_else(|| descend(descend(n, "proto")?, "name")?.text());
        if let Some(name) = own {
            self.types.insert(name, n);
        }
    }

    fn index_command(&mut self, n: Node<'a, 'a>) {
        let own = n.attribute("name").filter(|_| n.attribute("alias").is_some());
        let own = own.or_else(|| descend(descend(n, "proto")?, "name")?.text());
        if let Some(name) = own {
            self.commands.insert(name, n);
        }
    }

    fn index_values(&mut self) {
        let mut aliases = Vec::new();
        for n in self.root.descendants().filter(|n| n.has_tag_name("enum") && for_vulkan(*n)) {
            let Some(name) = n.attribute("name") else { continue };
            let extension = n.ancestors().find(|a| a.has_tag_name("extension"));
            let by = n.attribute("extnumber").or_else(|| extension?.attribute("number")).and_then(number);
            let value = if let Some(a) = n.attribute("alias") {
                aliases.push((name, a));
                None
            } else if let Some(v) = n.attribute("value") {
                number(v)
            } else if let Some(bit) = n.attribute("bitpos").and_then(number) {
                u32::try_from(bit).ok().and_then(|b| 1i64.checked_shl(b))
            } else if let (Some(o), Some(by)) = (n.attribute("offset").and_then(number), by) {
                let v = 1_000_000_000 + (by - 1) * 1000 + o;
                Some(if n.attribute("dir") == Some("-") { -v } else { v })
            } else {
                None
            };
            let Some(value) = value else { continue };
            let is_constant = n.parent().is_some_and(|p| p.attribute("type") == Some("constants"));
            let map = if is_constant { &mut self.constants } else { &mut self.values };
            map.insert(name.to_owned(), value);
        }
        for _ in 0..3 {
            for (name, of) in &aliases {
                if let Some(v) = self.values.get(*of).copied() {
                    self.values.insert((*name).to_owned(), v);
                }
            }
        }
    }

    /// The definition behind a type's name.
    pub fn type_of(&self, name: &str) -> Option<Node<'a, 'a>> {
        let mut n = *self.types.get(name)?;
        while let Some(a) = n.attribute("alias") {
            n = *self.types.get(a)?;
        }
        Some(n)
    }

    /// Every name of a type, the defining one first.
    pub fn group(&self, name: &str) -> Vec<&'a str> {
        let Some(of) = self.type_of(name) else { return Vec::new() };
        let mut all: Vec<&str> = self.types.keys().copied().filter(|n| self.type_of(n) == Some(of)).collect();
        all.sort_by_key(|n| self.types[n] != of);
        all
    }

    /// The definition behind a command's name.
    pub fn command_of(&self, name: &str) -> Option<Node<'a, 'a>> {
        let mut n = *self.commands.get(name)?;
        while let Some(a) = n.attribute("alias") {
            n = *self.commands.get(a)?;
        }
        Some(n)
    }

    /// Every name of a command, the defining one first.
    pub fn command_group(&self, name: &str) -> Vec<&'a str> {
        let Some(of) = self.command_of(name) else { return Vec::new() };
        let mut all: Vec<&str> = self.commands.keys().copied().filter(|n| self.command_of(n) == Some(of)).collect();
        all.sort_by_key(|n| self.commands[n] != of);
        all
    }

    /// Names of the enumerators of a type, without second names.
    pub fn enumerators(&self, name: &str) -> Vec<String> {
        let Some(own) = self.group(name).into_iter().next() else { return Vec::new() };
        let body = self.enums.get(own).into_iter().flat_map(|e| e.children());
        let extending = self.root.descendants().filter(|n| n.attribute("extends") == Some(own));
        body.chain(extending)
            .filter(|e| e.has_tag_name("enum") && e.attribute("alias").is_none() && for_vulkan(*e))
            .filter_map(|e| e.attribute("name").map(str::to_owned))
            .collect()
    }

    /// An extension by name.
    pub fn extension(&self, name: &str) -> Option<Node<'a, 'a>> {
        let all = descend(self.root, "extensions")?;
        all.children().find(|e| e.has_tag_name("extension") && e.attribute("name") == Some(name))
    }

    /// The parts of a core version.
    pub fn core(&self, name: &str) -> Vec<Node<'a, 'a>> {
        let suffix = name.trim_start_matches("VK");
        self.root
            .children()
            .filter(|n| n.has_tag_name("feature") && n.attribute("name").is_some_and(|x| x.ends_with(suffix)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_alternatives_the_first_extension_counts() {
        let r = |s| requires(s).join(" ");
        assert_eq!(
            r("VK_KHR_get_physical_device_properties2,VK_VERSION_1_1"),
            "VK_KHR_get_physical_device_properties2"
        );
        assert_eq!(r("(VK_VERSION_1_1,VK_KHR_a)+VK_EXT_b"), "VK_KHR_a VK_EXT_b");
        assert_eq!(r("VK_VERSION_1_3"), "");
    }

    #[test]
    fn enumerators_get_their_numbers() {
        let doc = Document::parse(
            "<registry><types><type category='enum' name='VkE'/><type category='enum' name='VkEKHR' alias='VkE'/></types>\
             <enums name='VkE' type='enum'><enum value='3' name='VK_A'/></enums>\
             <extensions><extension name='VK_X' number='5'><require><enum offset='2' dir='-' extends='VkE' name='VK_B'/>\
             <enum bitpos='4' extends='VkE' name='VK_C'/><enum alias='VK_B' extends='VkE' name='VK_D'/></require></extension></extensions></registry>",
        )
        .expect("XML");
        let s = Source::new(&doc);
        assert_eq!(s.values["VK_A"], 3);
        assert_eq!(s.values["VK_B"], -1_000_004_002);
        assert_eq!((s.values["VK_C"], s.values["VK_D"]), (16, -1_000_004_002));
        assert_eq!(s.enumerators("VkEKHR"), ["VK_A", "VK_B", "VK_C"]);
        assert_eq!(s.group("VkEKHR"), ["VkE", "VkEKHR"]);
    }
}
