#version 450
// Vertices: positions and normals through one of four matrices from a uniform buffer.
layout(local_size_x = 64) in;
struct Vertex { vec3 position; uint bone; vec3 normal; float unused; };
layout(std430, binding = 0) readonly buffer A { Vertex a[]; };
layout(std430, binding = 1) writeonly buffer B { Vertex b[]; };
layout(std140, binding = 2) uniform M { mat4 bones[4]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    Vertex v = a[i];
    mat4 m = bones[v.bone];
    b[i].position = (m * vec4(v.position, 1.0)).xyz;
    b[i].normal = normalize(mat3(m) * v.normal);
    b[i].bone = v.bone;
    b[i].unused = 0.0;
}
