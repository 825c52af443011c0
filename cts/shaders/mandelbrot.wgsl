@group(0) @binding(0) var<storage, read_write> steps: array<u32>;

struct View {
    width: u32,
    height: u32,
    limit: u32,
}
var<immediate> view: View;

@compute @workgroup_size(16, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= view.width || id.y >= view.height {
        return;
    }
    let c = vec2<f32>(
        -2.2 + 3.0 * f32(id.x) / f32(view.width),
        -1.2 + 2.4 * f32(id.y) / f32(view.height),
    );
    var z = vec2<f32>(0.0);
    var n = 0u;
    while n < view.limit && dot(z, z) < 16.0 {
        z = vec2<f32>(z.x * z.x - z.y * z.y, 2.0 * z.x * z.y) + c;
        n++;
    }
    steps[id.y * view.width + id.x] = n;
}
