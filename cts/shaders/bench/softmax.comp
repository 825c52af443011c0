#version 450
// Softmax of rows of n numbers, a row per workgroup.
layout(local_size_x = 128) in;
layout(std430, binding = 0) readonly buffer A { float a[]; };
layout(std430, binding = 1) writeonly buffer B { float b[]; };
layout(push_constant) uniform P { uint n; };
shared float part[128];
void main() {
    uint l = gl_LocalInvocationID.x, base = gl_WorkGroupID.x * n;
    float m = -3.4e38;
    for (uint k = l; k < n; k += 128) {
        m = max(m, a[base + k]);
    }
    part[l] = m;
    barrier();
    for (uint s = 64; s > 0; s >>= 1) {
        if (l < s) {
            part[l] = max(part[l], part[l + s]);
        }
        barrier();
    }
    m = part[0];
    barrier();
    float sum = 0.0;
    for (uint k = l; k < n; k += 128) {
        sum += exp(a[base + k] - m);
    }
    part[l] = sum;
    barrier();
    for (uint s = 64; s > 0; s >>= 1) {
        if (l < s) {
            part[l] += part[l + s];
        }
        barrier();
    }
    float scale = 1.0 / part[0];
    for (uint k = l; k < n; k += 128) {
        b[base + k] = exp(a[base + k] - m) * scale;
    }
}
