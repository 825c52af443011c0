//! Descriptor update templates: plain data that says where in the application's memory descriptors stand.

use crate::pipeline_layout::PipelineLayout;
use ash::vk;
use std::sync::Arc;

/// VkDescriptorUpdateTemplateEntry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateEntry {
    /// First binding.
    pub binding: u32,
    /// First element; bytes for inline uniform blocks.
    pub element: u32,
    /// Number of descriptors; bytes for inline uniform blocks.
    pub count: u32,
    /// Type.
    pub ty: vk::DescriptorType,
    /// First byte in the application's data.
    pub offset: usize,
    /// Bytes from one element to the next in the application's data.
    pub stride: usize,
}

/// A VkDescriptorUpdateTemplate.
#[derive(Clone, Debug)]
pub struct UpdateTemplate {
    /// The entries.
    pub entries: Vec<TemplateEntry>,
    /// For push descriptors: the pipeline layout.
    pub layout: Option<Arc<PipelineLayout>>,
    /// For push descriptors: the set number.
    pub set: u32,
}
