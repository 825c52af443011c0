#version 450
// variant: image_rgba8 FORMAT=rgba8 TYPE=vec4 IMAGE=image2D
// variant: image_rgba8_snorm FORMAT=rgba8_snorm TYPE=vec4 IMAGE=image2D
// variant: image_rgba16f FORMAT=rgba16f TYPE=vec4 IMAGE=image2D
// variant: image_rgba32f FORMAT=rgba32f TYPE=vec4 IMAGE=image2D
// variant: image_r32f FORMAT=r32f TYPE=vec4 IMAGE=image2D
// variant: image_rgba8ui FORMAT=rgba8ui TYPE=uvec4 IMAGE=uimage2D
// variant: image_rgba8i FORMAT=rgba8i TYPE=ivec4 IMAGE=iimage2D
// variant: image_rgba16ui FORMAT=rgba16ui TYPE=uvec4 IMAGE=uimage2D
// variant: image_rgba16i FORMAT=rgba16i TYPE=ivec4 IMAGE=iimage2D
// variant: image_rgba32ui FORMAT=rgba32ui TYPE=uvec4 IMAGE=uimage2D
// variant: image_rgba32i FORMAT=rgba32i TYPE=ivec4 IMAGE=iimage2D
// Stores values into a storage image and reads them back after a barrier: what the format kept.
layout(local_size_x = 8, local_size_y = 8) in;
layout(binding = 0, FORMAT) uniform coherent IMAGE img;
layout(std430, binding = 1) buffer D { TYPE data[]; };
layout(push_constant) uniform Push { uint store; };
void main() {
    ivec2 p = ivec2(gl_GlobalInvocationID.xy);
    uint i = p.y * 8 + p.x;
    if (store != 0) imageStore(img, p, data[i]);
    else data[i] = imageLoad(img, p);
}
