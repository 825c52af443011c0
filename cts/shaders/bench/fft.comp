#version 450
// Complex FFT of 1024 points per workgroup, by radix 2 in workgroup memory (Stockham: no bit reversal).
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { vec2 a[]; };
layout(std430, binding = 1) writeonly buffer B { vec2 b[]; };
shared vec2 v[2][1024];
void main() {
    uint l = gl_LocalInvocationID.x, base = gl_WorkGroupID.x * 1024;
    for (uint k = l; k < 1024; k += 256) {
        v[0][k] = a[base + k];
    }
    uint from = 0;
    for (uint s = 1; s < 1024; s *= 2) {
        barrier();
        for (uint t = l; t < 512; t += 256) {
            uint q = t & (s - 1), p = t - q;
            float angle = -3.14159265358979 * float(p) / 512.0;
            vec2 w = vec2(cos(angle), sin(angle));
            vec2 x = v[from][t], y = v[from][t + 512];
            vec2 d = x - y;
            v[1 - from][2 * p + q] = x + y;
            v[1 - from][2 * p + q + s] = vec2(d.x * w.x - d.y * w.y, d.x * w.y + d.y * w.x);
        }
        from = 1 - from;
    }
    barrier();
    for (uint k = l; k < 1024; k += 256) {
        b[base + k] = v[from][k];
    }
}
