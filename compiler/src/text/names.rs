//! Words of the text form.

use crate::sir::{AtomicOp, BindingKind, Builtin, GroupOp, GroupScan, ImageDim, ImageFormat, MemoryScope, Space, Type};

/// A closed set of words that stand for values.
pub trait Words: Copy + PartialEq + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The word of a value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(v, _)| *v == self).map_or("?", |(_, w)| w)
    }

    /// The value of a word.
    fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, w)| *w == word).map(|(v, _)| *v)
    }
}

macro_rules! words {
    ($ty:ty { $($value:expr => $word:literal),* $(,)? }) => {
        impl Words for $ty {
            const WORDS: &'static [(Self, &'static str)] = &[$(($value, $word)),*];
        }
    };
}

words!(Type {
    Type::Bool => "bool", Type::I8 => "i8", Type::I16 => "i16", Type::I32 => "i32", Type::I64 => "i64",
    Type::F16 => "f16", Type::F32 => "f32", Type::F64 => "f64", Type::Buf => "buf",
});
words!(BindingKind {
    BindingKind::UniformBuffer => "uniform_buffer",
    BindingKind::StorageBuffer => "storage_buffer",
    BindingKind::StorageImage => "storage_image",
    BindingKind::SampledImage => "sampled_image",
    BindingKind::Sampler => "sampler",
    BindingKind::CombinedImageSampler => "combined_image_sampler",
    BindingKind::UniformTexelBuffer => "uniform_texel_buffer",
    BindingKind::StorageTexelBuffer => "storage_texel_buffer",
});
words!(AtomicOp {
    AtomicOp::IAdd => "iadd", AtomicOp::SMin => "smin", AtomicOp::SMax => "smax", AtomicOp::UMin => "umin",
    AtomicOp::UMax => "umax", AtomicOp::And => "and", AtomicOp::Or => "or", AtomicOp::Xor => "xor",
    AtomicOp::Exchange => "exchange", AtomicOp::FAdd => "fadd", AtomicOp::FMin => "fmin", AtomicOp::FMax => "fmax",
    AtomicOp::HAdd => "hadd", AtomicOp::HMin => "hmin", AtomicOp::HMax => "hmax",
});
words!(GroupOp {
    GroupOp::IAdd => "iadd", GroupOp::IMul => "imul", GroupOp::SMin => "smin", GroupOp::SMax => "smax",
    GroupOp::UMin => "umin", GroupOp::UMax => "umax", GroupOp::And => "and", GroupOp::Or => "or",
    GroupOp::Xor => "xor", GroupOp::FAdd => "fadd", GroupOp::FMul => "fmul", GroupOp::FMin => "fmin",
    GroupOp::FMax => "fmax",
});
words!(GroupScan {
    GroupScan::Reduce => "reduce", GroupScan::Inclusive => "inclusive", GroupScan::Exclusive => "exclusive",
});
words!(MemoryScope {
    MemoryScope::Invocation => "invocation", MemoryScope::Subgroup => "subgroup",
    MemoryScope::Workgroup => "workgroup", MemoryScope::QueueFamily => "queue_family", MemoryScope::Device => "device",
});
words!(ImageDim {
    ImageDim::D1 => "1d", ImageDim::D2 => "2d", ImageDim::D3 => "3d", ImageDim::Cube => "cube",
    ImageDim::Buffer => "texels",
});
impl Words for ImageFormat {
    const WORDS: &'static [(Self, &'static str)] = ImageFormat::WORDS;
}
words!(Space {
    Space::Buffer => "buffer", Space::Global => "global", Space::Shared => "shared", Space::Slot => "slot",
    Space::Push => "push",
});
words!(Builtin {
    Builtin::WorkgroupId(0) => "workgroup_id.x", Builtin::WorkgroupId(1) => "workgroup_id.y",
    Builtin::WorkgroupId(2) => "workgroup_id.z",
    Builtin::NumWorkgroups(0) => "num_workgroups.x", Builtin::NumWorkgroups(1) => "num_workgroups.y",
    Builtin::NumWorkgroups(2) => "num_workgroups.z",
    Builtin::LocalId(0) => "local_id.x", Builtin::LocalId(1) => "local_id.y", Builtin::LocalId(2) => "local_id.z",
    Builtin::GlobalId(0) => "global_id.x", Builtin::GlobalId(1) => "global_id.y", Builtin::GlobalId(2) => "global_id.z",
    Builtin::LocalIndex => "local_index",
    Builtin::SubgroupId => "subgroup_id", Builtin::NumSubgroups => "num_subgroups",
    Builtin::SubgroupSize => "subgroup_size", Builtin::SubgroupLocalId => "subgroup_local_id",
});
