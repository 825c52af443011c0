#version 450
#extension GL_EXT_shader_image_load_formatted : require
layout(local_size_x = 4, local_size_y = 4) in;
layout(binding = 0, rgba8) uniform readonly image2D src;
layout(binding = 1, rgba32f) uniform writeonly image2D dst;
layout(binding = 2, r32ui) uniform uimage2D counters;
layout(binding = 3, r32i) uniform iimage3D vol;
layout(binding = 4) uniform readonly uimage2DArray anyFormat;
layout(binding = 5, rgba16f) uniform image1D line;
layout(binding = 6, rgba8ui) uniform writeonly uimageCube cube;
layout(binding = 7, rgba32f) uniform image2D many[4];
layout(binding = 8, r32f) uniform image2DMS ms;
layout(binding = 9, rgba32f) uniform writeonly imageCubeArray cubes;
void main() {
    ivec2 p = ivec2(gl_GlobalInvocationID.xy);
    vec4 c = imageLoad(src, p) * vec4(imageSize(src), imageSize(vol).z, imageSize(anyFormat).z);
    imageStore(dst, p.yx, c);
    uint old = imageAtomicAdd(counters, p >> 1, 1u) + imageAtomicCompSwap(counters, p, 3u, 4u) + imageAtomicExchange(counters, p, 2u);
    imageAtomicMin(vol, ivec3(p, 1), int(old)); imageAtomicOr(vol, ivec3(p, 0), 5);
    imageStore(line, p.x, vec4(imageLoad(anyFormat, ivec3(p, 1))));
    imageStore(cube, ivec3(p, 3), uvec4(old)); imageStore(cubes, ivec3(p, 8), c);
    imageStore(many[p.x & 3], p, imageLoad(many[2], p) + imageLoad(ms, p, 1) + float(imageSamples(ms)));
}
