//! VK_KHR_pipeline_executable_properties: what became of a kernel.

use crate::edge::{In, InOut, OutArray, OutSlice};
use crate::objects::Device;
use crate::properties::put_text;
use ash::vk;
use runtime::gpu::StatisticValue;

/// A compute pipeline has one executable.
pub fn get_pipeline_executable_properties_khr(
    _device: &Device,
    info: In<'_, vk::PipelineInfoKHR<'_>>,
    out: OutArray<'_, vk::PipelineExecutablePropertiesKHR<'_>>,
) -> vk::Result {
    let e = info.pipeline().info();
    out.fill(1, |_, mut p: InOut<'_, vk::PipelineExecutablePropertiesKHR<'_>>| {
        p.stages = vk::ShaderStageFlags::COMPUTE;
        put_text(&mut p.name, &e.name);
        put_text(&mut p.description, &e.description);
        p.subgroup_size = e.subgroup_size;
    })
}

pub fn get_pipeline_executable_statistics_khr(
    _device: &Device,
    info: In<'_, vk::PipelineExecutableInfoKHR<'_>>,
    out: OutArray<'_, vk::PipelineExecutableStatisticKHR<'_>>,
) -> vk::Result {
    type F = vk::PipelineExecutableStatisticFormatKHR;
    type V = vk::PipelineExecutableStatisticValueKHR;
    let statistics = &info.pipeline().info().statistics;
    out.fill(statistics.len(), |i, mut p: InOut<'_, vk::PipelineExecutableStatisticKHR<'_>>| {
        let s = &statistics[i];
        put_text(&mut p.name, &s.name);
        put_text(&mut p.description, &s.description);
        (p.format, p.value) = match s.value {
            StatisticValue::Bool(v) => (F::BOOL32, V { b32: v.into() }),
            StatisticValue::I64(v) => (F::INT64, V { i64: v }),
            StatisticValue::U64(v) => (F::UINT64, V { u64: v }),
            StatisticValue::F64(v) => (F::FLOAT64, V { f64: v }),
        };
    })
}

pub fn get_pipeline_executable_internal_representations_khr(
    _device: &Device,
    info: In<'_, vk::PipelineExecutableInfoKHR<'_>>,
    out: OutArray<'_, vk::PipelineExecutableInternalRepresentationKHR<'_>>,
) -> vk::Result {
    let texts = &info.pipeline().info().representations;
    let mut cut = false;
    let result = out.fill(texts.len(), |i, mut p: InOut<'_, vk::PipelineExecutableInternalRepresentationKHR<'_>>| {
        let r = &texts[i];
        put_text(&mut p.name, &r.name);
        put_text(&mut p.description, &r.description);
        p.is_text = vk::TRUE;
        // The text goes with its terminating NUL.
        let bytes = r.text.as_bytes();
        let needed = bytes.len() + 1;
        if p.p_data.is_null() {
            p.data_size = needed;
            return;
        }
        // SAFETY: by valid usage `pData` is null or valid for `dataSize` bytes.
        let mut data = unsafe { OutSlice::new(p.p_data.cast::<u8>(), p.data_size) };
        for (at, b) in bytes.iter().chain(&[0]).enumerate() {
            data.set(at, *b);
        }
        cut |= p.data_size < needed;
        p.data_size = p.data_size.min(needed);
    });
    if cut {
        vk::Result::INCOMPLETE
    } else {
        result
    }
}
