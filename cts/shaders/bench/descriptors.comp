#version 450
// Reads one word through each of eight descriptors.
layout(local_size_x = 1) in;
layout(std430, binding = 0) writeonly buffer O { uint o[]; };
layout(std430, binding = 1) readonly buffer A { uint a[]; };
layout(std430, binding = 2) readonly buffer B { uint b[]; };
layout(std430, binding = 3) readonly buffer C { uint c[]; };
layout(std430, binding = 4) readonly buffer D { uint d[]; };
layout(std430, binding = 5) readonly buffer E { uint e[]; };
layout(std430, binding = 6) readonly buffer F { uint f[]; };
layout(std430, binding = 7) readonly buffer G { uint g[]; };
void main() {
    o[0] = a[0] + 10 * b[0] + 100 * c[0] + 1000 * d[0] + 10000 * e[0] + 100000 * f[0] + 1000000 * g[0];
}
