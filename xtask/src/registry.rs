//! A reader for the Vulkan registry (`vk.xml`), reduced to what the generators need.
//!
//! Several documents may be merged; a later document's definition of a name replaces an earlier one, so that the
//! committed supplement can describe what the packaged registry is too old to know.

use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};

/// A parameter of a command or a member of a structure.
#[derive(Clone, Debug)]
pub struct Decl {
    /// Name as the registry spells it (`pCreateInfo`).
    pub name: String,
    /// Base type without qualifiers (`VkBufferCreateInfo`, `void`, `uint32_t`).
    pub ty: String,
    /// Number of `*`.
    pub pointers: usize,
    /// Whether the pointee is `const`.
    pub is_const: bool,
    /// Fixed array length as spelled (`4`, `VK_UUID_SIZE`).
    pub array: Option<String>,
    /// Whether it is a bit field.
    pub bits: bool,
    /// The `len` attribute (or `altlen` where `len` is typeset mathematics).
    pub len: Option<String>,
    /// Whether the value itself may be null or zero.
    pub optional: bool,
    /// Whether validity depends on other members, so that the value may be garbage.
    pub conditional: bool,
    /// The `values` attribute (the sType constant of a structure).
    pub values: Option<String>,
    /// Whether access must be externally synchronised.
    pub extern_sync: bool,
}

/// A structure or union.
#[derive(Clone, Debug, Default)]
pub struct Struct {
    pub members: Vec<Decl>,
    /// Structures this one may be chained to.
    pub extends: Vec<String>,
    /// Filled by the implementation only.
    pub returned_only: bool,
    pub is_union: bool,
}

/// A command prototype.
#[derive(Clone, Debug)]
pub struct Command {
    pub name: String,
    pub ret: String,
    pub params: Vec<Decl>,
    pub error_codes: Vec<String>,
}

/// A core version.
#[derive(Clone, Debug)]
pub struct Feature {
    pub major: u32,
    pub minor: u32,
    pub commands: Vec<String>,
    pub types: Vec<String>,
}

/// An extension.
#[derive(Clone, Debug)]
pub struct Extension {
    pub spec_version: u32,
    pub instance: bool,
    pub requires: Vec<String>,
    /// `VK_VERSION_1_2` or an extension's name.
    pub promoted_to: Option<String>,
    /// Commands with the extension the `require` block depends on, if any.
    pub commands: Vec<(String, Option<String>)>,
    /// Types, likewise.
    pub types: Vec<(String, Option<String>)>,
}

/// The merged registry.
#[derive(Default)]
pub struct Registry {
    pub structs: BTreeMap<String, Struct>,
    pub handles: BTreeMap<String, bool>,
    pub commands: BTreeMap<String, Command>,
    pub command_aliases: BTreeMap<String, String>,
    pub type_aliases: BTreeMap<String, String>,
    pub features: Vec<Feature>,
    pub extensions: BTreeMap<String, Extension>,
    /// Values of structure types by name.
    pub structure_types: BTreeMap<String, i64>,
    /// Enumerators of the supplement by type.
    pub enumerators: BTreeMap<String, BTreeMap<String, i64>>,
    /// Types and commands that the bindings lack.
    pub unbound: BTreeSet<String>,
    /// Bit masks by name, with whether they have 64 bits.
    pub bitmasks: BTreeMap<String, bool>,
    /// Enumerators that say what a handle's object is, by handle type.
    pub object_types: BTreeMap<String, String>,
    /// Types whose values are plain data: enumerations, bit masks, scalars.
    pub plain: BTreeSet<String>,
}

fn attr<'a>(n: Node<'a, '_>, name: &str) -> Option<&'a str> {
    n.attribute(name)
}

fn text_of(n: Node<'_, '_>) -> String {
    n.descendants().filter(|d| d.is_text()).filter_map(|d| d.text()).collect()
}

fn child_text(n: Node<'_, '_>, tag: &str) -> Option<String> {
    n.children().find(|c| c.has_tag_name(tag)).map(|c| text_of(c).trim().to_owned())
}

fn list(s: Option<&str>) -> Vec<String> {
    s.map(|s| s.split(',').filter(|p| !p.is_empty()).map(str::to_owned).collect()).unwrap_or_default()
}

fn for_vulkan(n: Node<'_, '_>) -> bool {
    attr(n, "api").is_none_or(|a| a.split(',').any(|x| x == "vulkan"))
}

fn decl(n: Node<'_, '_>) -> Option<Decl> {
    let name = child_text(n, "name")?;
    let ty = child_text(n, "type")?;
    let mut text = String::new();
    for c in n.children() {
        if c.has_tag_name("comment") {
            continue;
        }
        text.push_str(&if c.is_text() { c.text().unwrap_or_default().to_owned() } else { text_of(c) });
    }
    let array = text.split_once('[').and_then(|(_, r)| r.split_once(']')).map(|(a, _)| a.trim().to_owned());
    let len = match (attr(n, "len"), attr(n, "altlen")) {
        (Some(l), alt) if l.contains("latexmath") => alt.map(str::to_owned),
        (l, _) => l.map(str::to_owned),
    };
    let optional = attr(n, "optional").unwrap_or("false");
    Some(Decl {
        pointers: text.matches('*').count(),
        is_const: text.contains("const"),
        array,
        bits: text.contains(':'),
        len,
        optional: optional.starts_with("true"),
        conditional: attr(n, "noautovalidity") == Some("true"),
        values: attr(n, "values").map(str::to_owned),
        extern_sync: attr(n, "externsync").is_some(),
        name,
        ty,
    })
}

impl Registry {
    /// Adds one registry document.
    ///
    /// # Errors
    /// When the text is not XML or lacks what every registry has.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let options = roxmltree::ParsingOptions { allow_dtd: false, nodes_limit: 4_000_000 };
        let doc = Document::parse_with_options(text, options).map_err(|e| format!("registry: {e}"))?;
        for section in doc.root_element().children().filter(Node::is_element) {
            match section.tag_name().name() {
                "types" => section.children().filter(|n| n.has_tag_name("type")).for_each(|n| self.add_type(n)),
                "enums" => self.add_enums(section),
                "commands" => {
                    section.children().filter(|n| n.has_tag_name("command")).for_each(|n| self.add_command(n))
                }
                "feature" => self.add_feature(section)?,
                "extensions" => {
                    for n in section.children().filter(|n| n.has_tag_name("extension")) {
                        self.add_extension(n);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_type(&mut self, n: Node<'_, '_>) {
        if !for_vulkan(n) {
            return;
        }
        let name = attr(n, "name").map(str::to_owned).or_else(|| child_text(n, "name"));
        let Some(name) = name else { return };
        if let Some(alias) = attr(n, "alias") {
            self.structs.remove(&name);
            self.type_aliases.insert(name, alias.to_owned());
            return;
        }
        if attr(n, "unbound").is_some() {
            self.unbound.insert(name.clone());
        }
        match attr(n, "category") {
            Some(c @ ("struct" | "union")) => {
                self.type_aliases.remove(&name);
                let s = Struct {
                    members: n
                        .children()
                        .filter(|m| m.has_tag_name("member") && for_vulkan(*m))
                        .filter_map(decl)
                        .collect(),
                    extends: list(attr(n, "structextends")),
                    returned_only: attr(n, "returnedonly") == Some("true"),
                    is_union: c == "union",
                };
                self.structs.insert(name, s);
            }
            Some("handle") => {
                let dispatchable = child_text(n, "type").as_deref() == Some("VK_DEFINE_HANDLE");
                if let Some(object) = attr(n, "objtypeenum") {
                    self.object_types.insert(name.clone(), object.to_owned());
                }
                self.handles.insert(name, dispatchable);
            }
            Some(c @ ("enum" | "bitmask" | "basetype")) => {
                if c == "bitmask" {
                    self.bitmasks.insert(name.clone(), child_text(n, "type").as_deref() == Some("VkFlags64"));
                }
                self.type_aliases.remove(&name);
                self.plain.insert(name);
            }
            _ => {}
        }
    }

    fn add_enums(&mut self, n: Node<'_, '_>) {
        let Some(ty) = attr(n, "name") else { return };
        for e in n.children().filter(|e| e.has_tag_name("enum")) {
            if let (Some(name), Some(Ok(value))) = (attr(e, "name"), attr(e, "value").map(str::parse)) {
                if ty == "VkStructureType" {
                    self.structure_types.insert(name.to_owned(), value);
                }
                self.enumerators.entry(ty.to_owned()).or_default().insert(name.to_owned(), value);
            }
        }
    }

    fn add_command(&mut self, n: Node<'_, '_>) {
        if !for_vulkan(n) {
            return;
        }
        if let (Some(name), Some(alias)) = (attr(n, "name"), attr(n, "alias")) {
            self.commands.remove(name);
            self.command_aliases.insert(name.to_owned(), alias.to_owned());
            return;
        }
        let Some(proto) = n.children().find(|c| c.has_tag_name("proto")) else {
            return;
        };
        let (Some(name), Some(ret)) = (child_text(proto, "name"), child_text(proto, "type")) else {
            return;
        };
        if attr(n, "unbound").is_some() {
            self.unbound.insert(name.clone());
        }
        let params = n.children().filter(|p| p.has_tag_name("param") && for_vulkan(*p)).filter_map(decl).collect();
        self.command_aliases.remove(&name);
        self.commands.insert(name.clone(), Command { name, ret, params, error_codes: list(attr(n, "errorcodes")) });
    }

    fn add_structure_type(&mut self, e: Node<'_, '_>, own_number: Option<i64>) {
        if attr(e, "extends") != Some("VkStructureType") {
            return;
        }
        let Some(name) = attr(e, "name") else { return };
        if let Some(v) = attr(e, "value").and_then(|v| v.parse().ok()) {
            self.structure_types.insert(name.to_owned(), v);
        } else if let Some(offset) = attr(e, "offset").and_then(|v| v.parse::<i64>().ok()) {
            let number = attr(e, "extnumber").and_then(|v| v.parse().ok()).or(own_number);
            if let Some(number) = number {
                self.structure_types.insert(name.to_owned(), 1_000_000_000 + (number - 1) * 1000 + offset);
            }
        }
    }

    fn add_feature(&mut self, n: Node<'_, '_>) -> Result<(), String> {
        let number = attr(n, "number").unwrap_or_default();
        let (major, minor) = number
            .split_once('.')
            .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)))
            .ok_or_else(|| format!("registry: feature number {number:?}"))?;
        let mut feature = Feature { major, minor, commands: Vec::new(), types: Vec::new() };
        for e in n.descendants().filter(Node::is_element) {
            match e.tag_name().name() {
                "command" => feature.commands.extend(attr(e, "name").map(str::to_owned)),
                "type" => feature.types.extend(attr(e, "name").map(str::to_owned)),
                "enum" => self.add_structure_type(e, None),
                _ => {}
            }
        }
        self.features.push(feature);
        Ok(())
    }

    fn add_extension(&mut self, n: Node<'_, '_>) {
        let supported = attr(n, "supported").unwrap_or_default();
        let Some(name) = attr(n, "name") else { return };
        if !supported.split(',').any(|s| s == "vulkan") {
            return;
        }
        let number = attr(n, "number").and_then(|v| v.parse().ok());
        let mut ext = Extension {
            spec_version: 1,
            instance: attr(n, "type") == Some("instance"),
            requires: list(attr(n, "requires")),
            promoted_to: attr(n, "promotedto").map(str::to_owned),
            commands: Vec::new(),
            types: Vec::new(),
        };
        for block in n.children().filter(|c| c.has_tag_name("require")) {
            let needs = attr(block, "extension").map(str::to_owned);
            for e in block.children().filter(Node::is_element) {
                match e.tag_name().name() {
                    "command" => {
                        if let Some(c) = attr(e, "name") {
                            ext.commands.push((c.to_owned(), needs.clone()));
                        }
                    }
                    "type" => {
                        if let Some(t) = attr(e, "name") {
                            ext.types.push((t.to_owned(), needs.clone()));
                        }
                    }
                    "enum" => {
                        self.add_structure_type(e, number);
                        if attr(e, "name").is_some_and(|n| n.ends_with("_SPEC_VERSION")) {
                            if let Some(v) = attr(e, "value").and_then(|v| v.parse().ok()) {
                                ext.spec_version = v;
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        self.extensions.insert(name.to_owned(), ext);
    }

    /// Follows type aliases to the canonical name.
    pub fn canonical_type<'a>(&'a self, mut name: &'a str) -> &'a str {
        while let Some(next) = self.type_aliases.get(name) {
            name = next;
        }
        name
    }

    /// Follows command aliases to the canonical name.
    pub fn canonical_command<'a>(&'a self, mut name: &'a str) -> &'a str {
        while let Some(next) = self.command_aliases.get(name) {
            name = next;
        }
        name
    }

    /// Whether a value of this type holds no pointer and no handle, directly or inside.
    pub fn is_plain(&self, ty: &str) -> bool {
        let ty = self.canonical_type(ty);
        if self.handles.contains_key(ty) || ty.starts_with("PFN_") || ty == "void" {
            return false;
        }
        match self.structs.get(ty) {
            Some(s) => s.members.iter().all(|m| m.pointers == 0 && self.is_plain(&m.ty)),
            None => true,
        }
    }

    /// Whether the Rust type of this structure carries a lifetime: it holds a pointer, directly or inside. A union does only
    /// when the type of a member does.
    pub fn has_lifetime(&self, ty: &str) -> bool {
        let ty = self.canonical_type(ty);
        self.structs
            .get(ty)
            .is_some_and(|s| s.members.iter().any(|m| (m.pointers > 0 && !s.is_union) || self.has_lifetime(&m.ty)))
    }

    /// Whether the structure starts with `sType` and `pNext`.
    pub fn is_chained(&self, ty: &str) -> bool {
        self.structs.get(self.canonical_type(ty)).is_some_and(|s| s.members.first().is_some_and(|m| m.name == "sType"))
    }

    /// The number of the structure's `sType`.
    pub fn structure_type(&self, s: &Struct) -> Option<i64> {
        let name = s.members.first()?.values.as_deref()?;
        self.structure_types.get(name).copied()
    }
}
