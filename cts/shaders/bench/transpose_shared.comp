#version 450
// Tiles of 32×32 in workgroup memory, padded against bank conflicts; each invocation moves four elements.
layout(local_size_x = 32, local_size_y = 8) in;
layout(std430, binding = 0) readonly buffer A { float a[]; };
layout(std430, binding = 1) writeonly buffer B { float b[]; };
layout(push_constant) uniform P { uint n; };
shared float tile[32][33];
void main() {
    uvec2 l = gl_LocalInvocationID.xy;
    uvec2 from = gl_WorkGroupID.xy * 32 + l;
    for (uint r = 0; r < 32; r += 8) {
        tile[l.y + r][l.x] = a[(from.y + r) * n + from.x];
    }
    barrier();
    uvec2 to = gl_WorkGroupID.yx * 32 + l;
    for (uint r = 0; r < 32; r += 8) {
        b[(to.y + r) * n + to.x] = tile[l.x][l.y + r];
    }
}
