#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : require
// 64-bit integers and floats.
layout(local_size_x = 32) in;
layout(std430, binding = 0) readonly buffer A { int64_t a[]; };
layout(std430, binding = 1) readonly buffer B { int64_t b[]; };
layout(std430, binding = 2) readonly buffer F { double f[]; };
layout(std430, binding = 3) buffer O { int64_t o[]; };
layout(std430, binding = 4) buffer P { double p[]; };
layout(push_constant) uniform Push { uint n; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= n) return;
    int64_t x = a[i], y = b[i];
    o[i] = x + y;
    o[n + i] = x * y;
    o[2 * n + i] = y == 0 ? 0 : x / y;
    o[3 * n + i] = int64_t(uint64_t(x) >> (uint(i) & 63));
    o[4 * n + i] = x >> (uint(i) & 63);
    o[5 * n + i] = x << (uint(i) & 63);
    o[6 * n + i] = y == 0 ? 0 : int64_t(uint64_t(x) % uint64_t(y));
    o[7 * n + i] = x < y ? 1 : (uint64_t(x) < uint64_t(y) ? 2 : 3);
    precise double s = f[i] * f[i] + 0.5LF;
    p[i] = s;
    p[n + i] = sqrt(abs(f[i]));
    p[2 * n + i] = double(x);
    p[3 * n + i] = f[i] / 3.0LF;
}
