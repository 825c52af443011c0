// Needs a glslangValidator of 2025 or later: see build.sh.
#version 450
#pragma use_vulkan_memory_model
#extension GL_KHR_cooperative_matrix : enable
#extension GL_NV_cooperative_matrix2 : enable
#extension GL_KHR_memory_scope_semantics : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_EXT_shader_explicit_arithmetic_types : enable
#extension GL_EXT_buffer_reference : enable
layout(local_size_x = 32) in;
layout(set = 0, binding = 0) buffer A { int a[]; };
layout(set = 0, binding = 1) buffer O { int o[]; };
layout(set = 0, binding = 2) buffer P { int height, width, row, col; };
#define MAT coopmat<int, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA>
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Block { int x[8]; };
int decode(const in Block b, const in uint32_t block[2], const in uint32_t inside[2]) {
    return b.x[inside[0] * 4 + inside[1]] + int(1000 * block[0] + 100 * block[1]);
}
#define CLAMPED(mode, at)                                                                          \
    {                                                                                              \
        tensorLayoutNV<2, mode> t = createTensorLayoutNV(2, mode);                                 \
        t = setTensorLayoutDimensionNV(t, height, width);                                          \
        t = setTensorLayoutClampValueNV(t, 77);                                                    \
        t = sliceTensorLayoutNV(t, row, 16, col, 16);                                              \
        coopMatLoadTensorNV(m, a, 0, t);                                                           \
        coopMatStore(m, o, at, 16, gl_CooperativeMatrixLayoutRowMajor);                            \
    }
void main() {
    MAT m = MAT(5);
    CLAMPED(gl_CooperativeMatrixClampModeConstantNV, 0)
    CLAMPED(gl_CooperativeMatrixClampModeClampToEdgeNV, 256)
    CLAMPED(gl_CooperativeMatrixClampModeRepeatNV, 512)
    CLAMPED(gl_CooperativeMatrixClampModeMirrorRepeatNV, 768)
    // A transposed, clipped view.
    {
        tensorLayoutNV<2> t = createTensorLayoutNV(2);
        t = setTensorLayoutDimensionNV(t, 16, 16);
        tensorViewNV<2, true, 1, 0> v = createTensorViewNV(2, true, 1, 0);
        v = setTensorViewDimensionsNV(v, 16, 16);
        m = MAT(5);
        coopMatLoadTensorNV(m, a, 0, t, v);
        coopMatStore(m, o, 1024, 16, gl_CooperativeMatrixLayoutRowMajor);
        tensorViewNV<2> clip = createTensorViewNV(2);
        clip = setTensorViewClipNV(clip, 1, 3, 2, 4);
        m = MAT(5);
        t = sliceTensorLayoutNV(t, 0, 3, 0, 4);
        coopMatLoadTensorNV(m, a, 0, t, clip);
        coopMatStore(m, o, 1280, 16, gl_CooperativeMatrixLayoutRowMajor);
    }
    // Blocks of 2×4, decoded.
    {
        tensorLayoutNV<2> t = createTensorLayoutNV(2);
        t = setTensorLayoutBlockSizeNV(t, 2, 4);
        t = setTensorLayoutDimensionNV(t, 16, 16);
        coopMatLoadTensorNV(m, a, 0, t, decode);
        coopMatStore(m, o, 1536, 16, gl_CooperativeMatrixLayoutRowMajor);
    }
    // A store that the bounds cut.
    {
        tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV> t =
            createTensorLayoutNV(2, gl_CooperativeMatrixClampModeConstantNV);
        t = setTensorLayoutDimensionNV(t, 128, 16);
        t = sliceTensorLayoutNV(t, 120, 16, 3, 16);
        coopMatStoreTensorNV(m, o, 0, t);
    }
}
