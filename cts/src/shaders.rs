//! Kernels of the demos and tests: WGSL is translated by naga when it is used; GLSL was compiled by glslang
//! (`shaders/compile.sh`) and its SPIR-V is committed beside the source.

/// Translates WGSL to SPIR-V 1.3 words.
///
/// # Errors
/// naga's message if it refuses the source.
pub fn wgsl(source: &str) -> Result<Vec<u32>, String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let info = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all())
        .validate(&module)
        .map_err(|e| e.emit_to_string(source))?;
    let options = naga::back::spv::Options { lang_version: (1, 3), ..naga::back::spv::Options::default() };
    naga::back::spv::write_vec(&module, &info, &options, None).map_err(|e| e.to_string())
}

/// SPIR-V words of committed bytes.
pub fn spirv(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
}
