#version 450
// variant: atomics2_f16 TYPE=float16_t
// variant: atomics2_f32 TYPE=float
// variant: atomics2_f64 TYPE=double
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_atomic_float2 : require
#extension GL_EXT_shader_atomic_float : require
// Sums, minima, maxima and an exchange of floats, in a buffer (0 to 3) and in workgroup memory (4 to 7).
layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer V { TYPE values[]; };
layout(std430, binding = 1) buffer O { TYPE o[]; };
shared TYPE s[4];
void main() {
    uint l = gl_LocalInvocationID.x;
    TYPE v = values[gl_GlobalInvocationID.x];
    atomicAdd(o[0], v);
    atomicMin(o[1], v);
    atomicMax(o[2], v);
    if (l == 17u) {
        atomicExchange(o[3], v);
    }
    if (l < 4u) {
        s[l] = TYPE(0);
    }
    barrier();
    atomicAdd(s[0], v);
    atomicMin(s[1], v);
    atomicMax(s[2], v);
    if (l == 17u) {
        atomicExchange(s[3], v);
    }
    barrier();
    if (l < 4u) {
        o[4u + l] = s[l];
    }
}
