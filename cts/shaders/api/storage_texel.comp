#version 450
// variant: storage_texel_rgba8 FORMAT=rgba8 TYPE=vec4 IMAGE=imageBuffer
// variant: storage_texel_rgba32f FORMAT=rgba32f TYPE=vec4 IMAGE=imageBuffer
// variant: storage_texel_r32ui FORMAT=r32ui TYPE=uvec4 IMAGE=uimageBuffer
// variant: storage_texel_rgba16i FORMAT=rgba16i TYPE=ivec4 IMAGE=iimageBuffer
// Moves texels of one storage texel buffer, plus one, to another.
layout(local_size_x = 32) in;
layout(binding = 0, FORMAT) uniform readonly IMAGE from;
layout(binding = 1, FORMAT) uniform writeonly IMAGE to;
void main() {
    int i = int(gl_GlobalInvocationID.x);
    if (i < imageSize(from)) imageStore(to, i, imageLoad(from, i) + TYPE(1));
}
