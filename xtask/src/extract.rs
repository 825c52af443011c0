//! `cargo xtask extract`: takes the rows of named extensions from a newer Vulkan registry into `data/supplement.xml`.
//!
//! The supplement is written anew each time, from everything it held before and the names given, so it depends on the
//! registry only. Of every row only what the generators read is kept. A definition that several names stand for is
//! given under the name the `ash` bindings define; what the bindings lack is marked `unbound`, and the generators then
//! write a type of their own.

mod bindings;
mod source;

use crate::registry::Registry;
use bindings::Bindings;
use roxmltree::{Document, Node};
use source::{escape, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

const HEADER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- What the packaged registry is too old to know, in its own format and only as far as the generators read it.\n     Written by `cargo xtask extract`; do not edit. -->\n<registry>\n";

/// A core version as it is named on the command line.
const CORE: &str = "VK_VERSION_1_4";

/// What has been taken so far.
struct Taker<'a> {
    src: Source<'a>,
    base: Registry,
    ash: Bindings,
    types: BTreeMap<String, String>,
    commands: BTreeMap<String, String>,
    /// Enumerators by type and name.
    enums: BTreeMap<String, BTreeMap<String, i64>>,
    extensions: BTreeMap<String, String>,
    features: String,
    seen: BTreeSet<String>,
    /// Extensions to take.
    wanted: BTreeSet<String>,
}

/// Whether the packaged registry defines the type under this very name.
fn defines(base: &Registry, name: &str) -> bool {
    base.structs.contains_key(name) || base.handles.contains_key(name) || base.plain.contains(name)
}

impl<'a> Taker<'a> {
    /// The name under which the type is defined in the generators' world.
    fn settle(&self, name: &str) -> String {
        let group = self.src.group(name);
        group
            .iter()
            .find(|n| self.ash.defines_type(n))
            .or_else(|| group.iter().find(|n| defines(&self.base, n)))
            .or_else(|| group.first())
            .map_or_else(|| name.to_owned(), |n| (*n).to_owned())
    }

    fn settle_command(&self, name: &str) -> String {
        let group = self.src.command_group(name);
        group
            .iter()
            .find(|n| self.ash.defines_command(n))
            .or_else(|| group.iter().find(|n| self.base.commands.contains_key(**n)))
            .or_else(|| group.first())
            .map_or_else(|| name.to_owned(), |n| (*n).to_owned())
    }

    /// `<type>` and `<name>` of a declaration as one line of XML, with type names settled.
    fn declaration(&mut self, n: Node<'a, 'a>) -> String {
        let mut out = String::new();
        for c in n.children() {
            match c.tag_name().name() {
                "comment" => {}
                "type" => {
                    let ty = self.take_type(&source::text(c));
                    write!(out, "<type>{ty}</type>").ok();
                }
                "name" => {
                    write!(out, "<name>{}</name>", source::text(c)).ok();
                }
                "enum" => {
                    self.take_constant(&source::text(c));
                    write!(out, "<enum>{}</enum>", source::text(c)).ok();
                }
                _ => out.push_str(&escape(c.text().unwrap_or_default())),
            }
        }
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn unbound(&self, bound: bool) -> &'static str {
        if bound {
            ""
        } else {
            " unbound=\"true\""
        }
    }

    fn take_constant(&mut self, name: &str) {
        if let Some(v) = self.src.constants.get(name) {
            self.enums.entry("API Constants".to_owned()).or_default().insert(name.to_owned(), *v);
        }
    }

    fn take_enumerator(&mut self, ty: &str, name: &str) {
        if let Some(v) = self.src.values.get(name) {
            let ty = self.settle(ty);
            self.enums.entry(ty).or_default().insert(name.to_owned(), *v);
        }
    }

    /// Takes a type with all it needs; the name it is defined by.
    fn take_type(&mut self, name: &str) -> String {
        let Some(node) = self.src.type_of(name) else {
            return name.to_owned();
        };
        let settled = self.settle(name);
        let category = node.attribute("category").unwrap_or_default();
        if !self.seen.insert(name.to_owned()) {
            return settled;
        }
        let bound = self.ash.has_type(&settled) || category == "basetype";
        let fresh = !defines(&self.base, &settled);
        for n in self.src.group(name) {
            let known = self.base.canonical_type(n) == settled;
            if n != settled && !known && (fresh || n == name || defines(&self.base, n)) {
                let row = format!("<type category=\"{category}\" name=\"{n}\" alias=\"{settled}\"/>");
                self.types.insert(n.to_owned(), row);
            }
        }
        if !fresh || self.types.contains_key(&settled) {
            return settled;
        }
        self.types.insert(settled.clone(), String::new());
        let mark = self.unbound(bound);
        let row = match category {
            "struct" | "union" => self.structure(node, &settled, mark),
            "enum" => {
                self.take_enumerators(name, &settled);
                format!("<type category=\"enum\" name=\"{settled}\"{mark}/>")
            }
            "bitmask" => {
                let width = source::child(node, "type").unwrap_or_default();
                format!("<type category=\"bitmask\"{mark}><type>{width}</type> <name>{settled}</name></type>")
            }
            "handle" => {
                let kind = source::child(node, "type").unwrap_or_default();
                let object = node.attribute("objtypeenum").unwrap_or_default();
                self.take_enumerator("VkObjectType", object);
                format!("<type category=\"handle\" objtypeenum=\"{object}\"{mark}><type>{kind}</type>(<name>{settled}</name>)</type>")
            }
            "funcpointer" => format!("<type category=\"funcpointer\"{mark}><name>{settled}</name></type>"),
            _ => {
                self.types.remove(&settled);
                return settled;
            }
        };
        self.types.insert(settled.clone(), row);
        if let Some(bits) = node.attribute("requires").or_else(|| node.attribute("bitvalues")) {
            self.take_type(bits);
        }
        settled
    }

    fn take_enumerators(&mut self, name: &str, settled: &str) {
        for n in self.src.enumerators(name) {
            if let Some(v) = self.src.values.get(&n) {
                self.enums.entry(settled.to_owned()).or_default().insert(n, *v);
            }
        }
    }

    fn structure(&mut self, node: Node<'a, 'a>, settled: &str, mark: &str) -> String {
        let category = node.attribute("category").unwrap_or("struct");
        let mut row = format!("<type category=\"{category}\" name=\"{settled}\"{mark}");
        if let Some(e) = node.attribute("structextends") {
            let mut names: Vec<String> = e.split(',').map(|n| self.settle(n)).collect();
            names.dedup();
            write!(row, " structextends=\"{}\"", names.join(",")).ok();
        }
        if node.attribute("returnedonly") == Some("true") {
            row.push_str(" returnedonly=\"true\"");
        }
        row.push('>');
        for m in source::declarations(node, "member") {
            if let Some(s_type) = m.attribute("values") {
                self.take_enumerator("VkStructureType", s_type);
            }
            let d = self.declaration(m);
            write!(row, "\n      <member{}>{d}</member>", attributes(m)).ok();
        }
        row.push_str("\n    </type>");
        row
    }

    fn take_command(&mut self, name: &str) {
        let Some(node) = self.src.command_of(name) else { return };
        let settled = self.settle_command(name);
        for n in self.src.command_group(name) {
            let known = self.base.canonical_command(n) == settled && n != settled;
            let wanted = n == name || self.base.commands.contains_key(n);
            if n != settled && !known && wanted {
                let row = format!("<command name=\"{n}\" alias=\"{settled}\"/>");
                self.commands.insert(n.to_owned(), row);
            }
        }
        if self.base.commands.contains_key(&settled) || self.commands.contains_key(&settled) {
            return;
        }
        let mark = self.unbound(self.ash.has_command(&settled));
        let mut row = format!("<command{mark}");
        if let Some(e) = node.attribute("errorcodes") {
            write!(row, " errorcodes=\"{e}\"").ok();
        }
        let ret = source::descend(node, "proto").and_then(|p| source::child(p, "type")).unwrap_or_default();
        let ret = self.take_type(&ret);
        write!(row, ">\n      <proto><type>{ret}</type> <name>{settled}</name></proto>").ok();
        for p in source::declarations(node, "param") {
            let d = self.declaration(p);
            write!(row, "\n      <param{}>{d}</param>", attributes(p)).ok();
        }
        row.push_str("\n    </command>");
        self.commands.insert(settled, row);
    }

    /// What a `require` block of an extension or a version brings.
    fn block(&mut self, block: Node<'a, 'a>, out: &mut String) {
        for e in block.children().filter(Node::is_element) {
            let Some(name) = e.attribute("name") else { continue };
            match e.tag_name().name() {
                "type" if self.src.type_of(name).is_some() => {
                    self.take_type(name);
                    write!(out, "\n        <type name=\"{name}\"/>").ok();
                }
                "command" => {
                    self.take_command(name);
                    write!(out, "\n        <command name=\"{name}\"/>").ok();
                }
                "enum" => match e.attribute("extends") {
                    Some(ty) if e.attribute("alias").is_none() => self.take_enumerator(ty, name),
                    Some(_) => {}
                    None if name.ends_with("_SPEC_VERSION") => {
                        let v = e.attribute("value").unwrap_or("1");
                        write!(out, "\n        <enum value=\"{v}\" name=\"{name}\"/>").ok();
                    }
                    None => self.take_constant(name),
                },
                _ => {}
            }
        }
    }

    fn take_extension(&mut self, name: &str) -> Result<(), String> {
        let node = self.src.extension(name).ok_or_else(|| format!("the registry has no extension {name}"))?;
        let kind = node.attribute("type").unwrap_or("device");
        let number = node.attribute("number").unwrap_or_default();
        let mut row = format!("<extension name=\"{name}\" number=\"{number}\" type=\"{kind}\"");
        let requires = source::requires(node.attribute("depends").unwrap_or_default());
        if !requires.is_empty() {
            write!(row, " requires=\"{}\"", requires.join(",")).ok();
        }
        if let Some(p) = node.attribute("promotedto") {
            write!(row, " promotedto=\"{p}\"").ok();
        }
        row.push_str(" supported=\"vulkan\">");
        for b in node.children().filter(|c| c.has_tag_name("require") && source::for_vulkan(*c)) {
            let needs = source::requires(b.attribute("depends").unwrap_or_default());
            if !needs.iter().all(|n| self.base.extensions.contains_key(n) || self.wanted.contains(n)) {
                continue;
            }
            let needs = if needs.is_empty() { String::new() } else { format!(" extension=\"{}\"", needs.join("+")) };
            let mut body = String::new();
            self.block(b, &mut body);
            if !body.is_empty() {
                write!(row, "\n      <require{needs}>{body}\n      </require>").ok();
            }
        }
        row.push_str("\n    </extension>");
        self.extensions.insert(name.to_owned(), row);
        Ok(())
    }

    fn take_core(&mut self) {
        let mut body = String::new();
        for f in self.src.core(CORE) {
            for b in f.children().filter(|c| c.has_tag_name("require")) {
                self.block(b, &mut body);
            }
        }
        self.features = format!(
            "  <feature name=\"{CORE}\" number=\"1.4\">\n      <require>{body}\n      </require>\n  </feature>\n"
        );
    }

    fn document(&self) -> String {
        let mut out = HEADER.to_owned();
        let rows = |out: &mut String, tag: &str, rows: &BTreeMap<String, String>| {
            writeln!(out, "  <{tag}>").ok();
            for r in rows.values().filter(|r| !r.is_empty()) {
                writeln!(out, "    {r}").ok();
            }
            writeln!(out, "  </{tag}>").ok();
        };
        rows(&mut out, "types", &self.types);
        for (ty, values) in &self.enums {
            writeln!(out, "  <enums name=\"{ty}\">").ok();
            for (name, v) in values {
                writeln!(out, "    <enum value=\"{v}\" name=\"{name}\"/>").ok();
            }
            out.push_str("  </enums>\n");
        }
        rows(&mut out, "commands", &self.commands);
        out.push_str(&self.features);
        rows(&mut out, "extensions", &self.extensions);
        out.push_str("</registry>\n");
        out
    }
}

/// The attributes of a declaration that the generators read.
fn attributes(n: Node<'_, '_>) -> String {
    let mut out = String::new();
    for name in ["values", "optional", "len", "altlen", "noautovalidity", "externsync"] {
        match n.attribute(name) {
            Some("false") | None => {}
            Some(v) => {
                write!(out, " {name}=\"{}\"", escape(v)).ok();
            }
        }
    }
    out
}

/// Runs the command: `--registry FILE --bindings FOLDER [NAME…]`.
///
/// # Errors
/// When an argument is missing, a file cannot be read, or the registry has no such extension.
pub fn run(root: &Path, flags: &[&str]) -> Result<String, String> {
    let mut names = BTreeSet::new();
    let (mut registry, mut bindings) = (None, None);
    let mut args = flags.iter();
    while let Some(a) = args.next() {
        match *a {
            "--registry" => registry = args.next(),
            "--bindings" => bindings = args.next(),
            name if name.starts_with("VK_") => {
                names.insert(name.to_owned());
            }
            other => return Err(format!("neither an option nor an extension: {other}")),
        }
    }
    let registry = registry.ok_or("--registry: path of the newer vk.xml")?;
    let bindings = bindings.ok_or("--bindings: path of the folder src/vk of the ash bindings")?;
    let read = |p: &Path| std::fs::read_to_string(p).map_err(|e| format!("{}: {e}", p.display()));
    let path = root.join("xtask/data/supplement.xml");
    let mut old = Registry::default();
    if let Ok(text) = read(&path) {
        old.add(&text)?;
        names.extend(old.extensions.into_keys());
    }
    let mut base = Registry::default();
    base.add(&read(Path::new(crate::gen::REGISTRY))?)?;
    let text = read(Path::new(registry))?;
    let options = roxmltree::ParsingOptions { allow_dtd: false, nodes_limit: 4_000_000 };
    let doc = Document::parse_with_options(&text, options).map_err(|e| format!("{registry}: {e}"))?;
    let mut taker = Taker {
        src: Source::new(&doc),
        base,
        ash: Bindings::read(Path::new(bindings))?,
        types: BTreeMap::new(),
        commands: BTreeMap::new(),
        enums: BTreeMap::new(),
        extensions: BTreeMap::new(),
        features: String::new(),
        seen: BTreeSet::new(),
        wanted: names,
    };
    taker.take_core();
    for n in taker.wanted.clone() {
        taker.take_extension(&n)?;
    }
    std::fs::write(&path, taker.document()).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(format!("{} extensions in {}", taker.extensions.len(), path.display()))
}
