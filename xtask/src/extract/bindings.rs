//! Which names the `ash` bindings have, found in their source text.

use std::collections::BTreeSet;
use std::path::Path;

/// Names in the bindings.
pub struct Bindings {
    defined: BTreeSet<String>,
    aliases: BTreeSet<String>,
}

/// `VkFooFlagBits` → `FooFlags`.
fn short(name: &str) -> String {
    name.strip_prefix("Vk").unwrap_or(name).replace("FlagBits", "Flags")
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

impl Bindings {
    /// Reads the bindings' folder `src/vk`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let mut out = Self { defined: BTreeSet::new(), aliases: BTreeSet::new() };
        let say = |e: std::io::Error| format!("{}: {e}", folder.display());
        for f in std::fs::read_dir(folder).map_err(say)? {
            let path = f.map_err(say)?.path();
            if path.extension().is_some_and(|e| e == "rs") {
                out.add(&std::fs::read_to_string(&path).map_err(say)?);
            }
        }
        Ok(out)
    }

    fn add(&mut self, text: &str) {
        for intro in ["handle_nondispatchable!(", "define_handle!("] {
            self.defined.extend(text.split(intro).skip(1).map(|rest| word(rest.trim_start())));
        }
        for line in text.lines().map(str::trim_start) {
            for intro in ["pub struct ", "pub union "] {
                if let Some(rest) = line.strip_prefix(intro) {
                    self.defined.insert(word(rest));
                }
            }
            if let Some(rest) = line.strip_prefix("pub type ") {
                let is_definition = rest.contains("extern") || rest.contains("Option<");
                let set = if is_definition { &mut self.defined } else { &mut self.aliases };
                set.insert(word(rest));
            }
        }
    }

    /// Whether the type is defined under this name.
    pub fn defines_type(&self, name: &str) -> bool {
        self.defined.contains(&short(name))
    }

    /// Whether the type has this name.
    pub fn has_type(&self, name: &str) -> bool {
        self.defines_type(name) || self.aliases.contains(&short(name))
    }

    /// Whether the function pointer type is defined under this name.
    pub fn defines_command(&self, name: &str) -> bool {
        self.defined.contains(&format!("PFN_{name}"))
    }

    /// Whether there is a function pointer type for the command.
    pub fn has_command(&self, name: &str) -> bool {
        self.defines_command(name) || self.aliases.contains(&format!("PFN_{name}"))
    }
}
