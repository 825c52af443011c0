#version 460
#extension GL_EXT_nonuniform_qualifier : require
#extension GL_EXT_samplerless_texture_functions : require
layout(local_size_x = 8) in;
layout(binding = 0) uniform sampler2D tex;
layout(binding = 1) uniform sampler3D vol;
layout(binding = 2) uniform samplerCubeArray cubes;
layout(binding = 3) uniform sampler2DArrayShadow shadow;
layout(binding = 4) uniform isampler2D itex;
layout(binding = 5) uniform texture2D sep;
layout(binding = 6) uniform sampler samp;
layout(binding = 7) uniform sampler2D many[];
layout(binding = 8) uniform utexture2DArray utex;
layout(binding = 9) uniform sampler2DShadow sh2;
layout(binding = 10) uniform sampler1D t1;
layout(binding = 11) uniform sampler2DMS tms;
layout(set = 1, binding = 0) uniform texture2D seps[8];
layout(set = 1, binding = 1) uniform sampler samps[8];
layout(std430, binding = 12) buffer Out { vec4 o[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    vec2 uv = vec2(i) * 0.125;
    vec4 c = texture(tex, uv) + textureLod(tex, uv, 1.0) + textureGrad(tex, uv, vec2(0.1), vec2(0.2)) + textureOffset(tex, uv, ivec2(1, -1)) + textureProj(tex, vec3(uv, 2.0));
    c += textureLod(vol, vec3(uv, 0.5), 0.5) + textureLod(cubes, vec4(uv, 1.0, 2.0), 0.0) + vec4(texture(shadow, vec4(uv, 1.0, 0.5)));
    c += vec4(textureLod(itex, uv, 0.0)) + texture(sampler2D(sep, samp), uv) + texelFetch(sep, ivec2(i), 0);
    c += textureLod(many[nonuniformEXT(i)], uv, 0.0) + vec4(texelFetch(utex, ivec3(i), 1)) + textureGather(tex, uv, 2) + textureGatherOffset(tex, uv, ivec2(1)) + textureGatherOffsets(tex, uv, ivec2[4](ivec2(0), ivec2(1), ivec2(2), ivec2(3)));
    c += textureGather(sh2, uv, 0.25) + textureLod(t1, uv.x, 0.0) + texelFetch(tms, ivec2(i), 2) + vec4(textureProjLod(sh2, vec4(uv, 0.5, 2.0), 0.0));
    c += vec4(textureSize(tex, 1), textureSize(utex, 0).z, textureQueryLevels(tex)) + vec4(textureSamples(tms)) + texelFetchOffset(tex, ivec2(i), 0, ivec2(1, 2));
    c += texture(sampler2D(seps[i & 7u], samps[nonuniformEXT(i + 1u)]), uv) + textureLod(sampler2DShadow(sep, samp), vec3(uv, 0.5), 0.0);
    o[i] = c;
}
