#version 450
#extension GL_EXT_nonuniform_qualifier : require
layout(local_size_x = 4) in;
layout(std430, set = 0, binding = 0) buffer Out { uint o[]; };
layout(std430, set = 1, binding = 0) buffer Arr { uint head; uint a[]; } bufs[4];
layout(set = 1, binding = 1) uniform Uni { uvec4 v; } unis[3];
layout(std430, set = 1, binding = 2) buffer Rt { uint b[]; } rts[];
void main() {
    uint i = gl_LocalInvocationIndex;
    o[i * 4u] = bufs[2].head + bufs[nonuniformEXT(i)].a[1];
    o[i * 4u + 1u] = unis[o[20] & 1u].v.y + unis[nonuniformEXT(i % 3u)].v[i];
    o[i * 4u + 2u] = rts[nonuniformEXT(i)].b[0];
    bufs[nonuniformEXT(i)].a[2] = i * 7u;
    o[i * 4u + 3u] = uint(bufs[nonuniformEXT(i)].a.length());
    atomicAdd(bufs[nonuniformEXT(3u - i)].head, 1u);
}
