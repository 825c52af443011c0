#version 450
// variant: texel_float TYPE=vec4 SAMPLER=samplerBuffer
// variant: texel_uint TYPE=uvec4 SAMPLER=usamplerBuffer
// variant: texel_int TYPE=ivec4 SAMPLER=isamplerBuffer
// Fetches every texel of a uniform texel buffer, and its size.
layout(local_size_x = 32) in;
layout(binding = 0) uniform SAMPLER texels;
layout(std430, binding = 1) buffer O { int size; int pad[3]; TYPE o[]; };
void main() {
    int i = int(gl_GlobalInvocationID.x);
    size = textureSize(texels);
    if (i < size) o[i] = texelFetch(texels, i);
}
