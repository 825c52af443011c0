//! What drivers say of the code they made, by VK_KHR_pipeline_executable_properties: numbers, and on demand texts.

use super::plan::Program;
use super::runner::Made;
use crate::{Error, Gpu};
use ash::vk;
use std::collections::BTreeMap;

/// Numbers about one program's code, by name.
pub type Facts = BTreeMap<String, f64>;

fn text(chars: &[std::ffi::c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().map(|c| *c as u8).take_while(|c| *c != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether the device reports such numbers.
pub fn reported(gpu: &Gpu) -> bool {
    gpu.has(ash::khr::pipeline_executable_properties::NAME) && gpu.features.executables.pipeline_executable_info != 0
}

/// Numbers about a program's code, and texts with their names if they are wanted.
///
/// # Errors
/// A failing call.
pub fn statistics(gpu: &Gpu, program: &Program, texts: bool) -> Result<(Facts, Vec<(String, String)>), Error> {
    let mut facts = Facts::new();
    let mut all = Vec::new();
    if !reported(gpu) {
        return Ok((facts, all));
    }
    let mut flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR;
    if texts {
        flags |= vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
    }
    let made = Made::new(gpu, program, flags)?;
    let ext = ash::khr::pipeline_executable_properties::Device::new(gpu.instance(), &gpu.device);
    let info = vk::PipelineInfoKHR::default().pipeline(made.pipeline);
    // SAFETY: the pipeline was made to keep what is asked for.
    unsafe {
        let count = ext.get_pipeline_executable_properties(&info)?.len() as u32;
        for index in 0..count {
            let info = vk::PipelineExecutableInfoKHR::default().pipeline(made.pipeline).executable_index(index);
            for s in ext.get_pipeline_executable_statistics(&info)? {
                type F = vk::PipelineExecutableStatisticFormatKHR;
                let value = match s.format {
                    F::BOOL32 => f64::from(s.value.b32),
                    F::INT64 => s.value.i64 as f64,
                    F::UINT64 => s.value.u64 as f64,
                    _ => s.value.f64,
                };
                facts.insert(text(&s.name), value);
            }
            if texts {
                all.extend(representations(&ext, &info)?);
            }
        }
    }
    made.free(gpu);
    Ok((facts, all))
}

/// Texts of an executable.
///
/// # Safety
/// The pipeline was made with `CAPTURE_INTERNAL_REPRESENTATIONS`.
unsafe fn representations(
    ext: &ash::khr::pipeline_executable_properties::Device,
    info: &vk::PipelineExecutableInfoKHR<'_>,
) -> Result<Vec<(String, String)>, Error> {
    let get = ext.fp().get_pipeline_executable_internal_representations_khr;
    let mut count = 0;
    // SAFETY: as the caller promises; the second and third calls have room for what the one before asked for.
    unsafe {
        get(ext.device(), info, &mut count, std::ptr::null_mut()).result()?;
        let mut all = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
        get(ext.device(), info, &mut count, all.as_mut_ptr()).result()?;
        let mut data: Vec<Vec<u8>> = all.iter().map(|r| vec![0; r.data_size]).collect();
        for (r, data) in all.iter_mut().zip(&mut data) {
            r.p_data = data.as_mut_ptr().cast();
        }
        get(ext.device(), info, &mut count, all.as_mut_ptr()).result()?;
        let string = |d: &Vec<u8>| String::from_utf8_lossy(d).trim_end_matches('\0').to_owned();
        Ok(all.iter().zip(&data).map(|(r, d)| (text(&r.name), string(d))).collect())
    }
}
