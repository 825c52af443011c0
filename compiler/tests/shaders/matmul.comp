#version 450
const uint T = 4;
layout(local_size_x = T, local_size_y = T) in;
layout(std430, binding = 0) buffer Out { float c[]; };
layout(std430, binding = 1) readonly buffer A { float a[]; };
layout(std430, binding = 2) readonly buffer B { float b[]; };
layout(push_constant) uniform Push { uint n; };
shared float ta[T][T];
shared float tb[T][T];
void main() {
    uvec2 l = gl_LocalInvocationID.xy, g = gl_GlobalInvocationID.xy;
    float sum = 0.0;
    for (uint k = 0; k < n; k += T) {
        ta[l.y][l.x] = a[g.y * n + k + l.x];
        tb[l.y][l.x] = b[(k + l.y) * n + g.x];
        barrier();
        for (uint i = 0; i < T; ++i) sum += ta[l.y][i] * tb[i][l.x];
        barrier();
    }
    c[g.y * n + g.x] = sum;
}
