#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_shader_16bit_storage : require
// float16 arithmetic and conversions.
layout(local_size_x = 32) in;
layout(std430, binding = 0) readonly buffer A { float16_t a[]; };
layout(std430, binding = 1) readonly buffer B { float16_t b[]; };
layout(std430, binding = 2) buffer O { float16_t o[]; };
layout(push_constant) uniform Push { uint n; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= n) return;
    precise float16_t s = a[i] + b[i];
    precise float16_t p = a[i] * b[i];
    precise float16_t d = a[i] - b[i];
    o[i] = s;
    o[n + i] = p;
    o[2 * n + i] = d;
    o[3 * n + i] = float16_t(float(a[i]) * 0.333);
    o[4 * n + i] = max(a[i], b[i]);
    o[5 * n + i] = abs(a[i]);
}
