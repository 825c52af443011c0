#version 460
// target: vulkan1.1
// variant: image64_u U
// variant: image64_i I
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_EXT_shader_image_int64 : require
#extension GL_EXT_shader_atomic_int64 : require
// Every atomic operation on texels of 64 bits: texel k of row 0 collects, row 1 keeps what exchanges saw.
#ifdef U
#define T uint64_t
#define FORMAT r64ui
#define IMAGE u64image2D
#define VEC4 u64vec4
#else
#define T int64_t
#define FORMAT r64i
#define IMAGE i64image2D
#define VEC4 i64vec4
#endif
layout(local_size_x = 32) in;
layout(set = 0, binding = 0, FORMAT) uniform IMAGE img;
layout(set = 0, binding = 1) buffer V { T values[]; };
layout(set = 0, binding = 2) buffer O { T result[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    T v = values[i];
    imageAtomicAdd(img, ivec2(0, 0), v);
    imageAtomicMin(img, ivec2(1, 0), v);
    imageAtomicMax(img, ivec2(2, 0), v);
    imageAtomicAnd(img, ivec2(3, 0), v);
    imageAtomicOr(img, ivec2(4, 0), v);
    imageAtomicXor(img, ivec2(5, 0), v);
    // One of the invocations finds the 0 and leaves its number.
    T seen = imageAtomicCompSwap(img, ivec2(6, 0), T(0), T(i) + T(1));
    if (seen == T(0)) {
        imageAtomicExchange(img, ivec2(7, 0), v);
    }
    result[i] = imageLoad(img, ivec2(i & 7u, 1)).x * T(3);
    imageStore(img, ivec2(i & 7u, 2), VEC4(T(i & 7u) << 40));
}
