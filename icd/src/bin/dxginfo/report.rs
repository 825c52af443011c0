//! What is found, as it stands in the JSON. Fields are only ever added; a change of what one means raises [`SCHEMA`].

use crate::adapters::{self, Adapter};
use crate::loader::{self, Loader};
use crate::node::{self, Node};
use crate::system::{Facts, System};
use serde::Serialize;
use vulkan_dxg::env::{NodeChoice, Options};

/// Version of the form.
pub const SCHEMA: u32 = 1;

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of this driver.
    pub version: &'static str,
    /// Whether there is a GPU for this driver to use.
    pub usable: bool,
    /// Which device programs get: `kernel`, `model` or `none`.
    pub device: &'static str,
    /// The machine, and who asks.
    pub system: Facts,
    /// The kernel's node; none if the settings say not to look at it.
    pub node: Option<Node>,
    /// The adapters of the kernel's node, and of the embedded device where that is what programs get.
    pub adapters: Vec<Adapter>,
    /// What the Vulkan loader finds; none if it was not to be asked.
    pub loader: Option<Loader>,
    /// What to do about what is amiss, most important first.
    pub hints: Vec<String>,
}

impl Report {
    /// Looks at everything.
    pub fn collect(system: &System, options: &Options, with_loader: bool) -> Self {
        let facts = Facts::collect(system);
        let (path, insisted) = match &options.node {
            NodeChoice::Auto => (Some(dxg_node::KERNEL_NODE.into()), false),
            NodeChoice::Path(path) => (Some(path.clone()), true),
            NodeChoice::Model => (None, false),
        };
        let mut hints = Vec::new();
        let looked = path.map(|path| node::look(system, &facts, &path));
        let (node, opened) = looked.map_or((None, None), |(node, opened)| (Some(node), opened));
        let mut adapters = Vec::new();
        if let Some(opened) = opened {
            match adapters::list(system, opened, "kernel", options) {
                Ok(list) => adapters = list,
                Err(e) => hints.push(format!("the node does not list its adapters: {e}")),
            }
            if adapters.is_empty() && hints.is_empty() {
                hints.push("the node has no adapters: the host shares no GPU, for which it needs a driver of WDDM 2.9 or newer".to_owned());
            }
        }
        let mut device = if adapters.iter().any(|a| a.driven_by.is_some()) { "kernel" } else { "none" };
        if device == "none" && !insisted {
            match dxg_node::model(options) {
                Err(e) => hints.push(format!("the embedded device cannot be made: {e}")),
                Ok(model) => {
                    let list = adapters::list(system, model, "model", options).unwrap_or_default();
                    if list.iter().any(|a| a.driven_by.is_some()) {
                        device = "model";
                    }
                    adapters.extend(list);
                }
            }
        }
        if let Some(node) = &node {
            let at = if insisted { 0 } else { hints.len() };
            hints.splice(at..at, node.hints.iter().cloned());
        }
        if device == "none" && !adapters.is_empty() {
            let instead = "'--node auto' shows what programs get without these settings";
            hints.insert(0, format!("this driver uses none of the adapters; the reasons stand with them. {instead}"));
        }
        let loader = with_loader.then(|| loader::look(system));
        hints.extend(loader.iter().flat_map(|l| l.hints()));
        let usable = device != "none";
        let version = env!("CARGO_PKG_VERSION");
        Self { schema: SCHEMA, version, usable, device, system: facts, node, adapters, loader, hints }
    }

    /// The JSON text.
    pub fn to_json(&self) -> String {
        // No map in the report has keys that are not strings, which is all that could fail.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
