#version 450
// GLSL.std.450 on floats: function k of the inputs goes to o[k * n + i].
layout(local_size_x = 32) in;
layout(std430, binding = 0) readonly buffer X { float xs[]; };
layout(std430, binding = 1) readonly buffer Y { float ys[]; };
layout(std430, binding = 2) buffer O { float o[]; };
layout(push_constant) uniform Push { uint n; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= n) return;
    float x = xs[i], y = ys[i];
    float p = abs(x), unit = clamp(x * 0.01, -1.0, 1.0), small = clamp(x, -30.0, 30.0);
    uint k = 0;
#define OUT(e) o[(k++) * n + i] = (e)
    OUT(round(x));        // 0
    OUT(roundEven(x));    // 1
    OUT(trunc(x));        // 2
    OUT(abs(x));          // 3
    OUT(sign(x));         // 4
    OUT(floor(x));        // 5
    OUT(ceil(x));         // 6
    OUT(fract(x));        // 7
    OUT(radians(x));      // 8
    OUT(degrees(x));      // 9
    OUT(sin(unit * 3.14159)); // 10
    OUT(cos(unit * 3.14159)); // 11
    OUT(tan(unit * 1.5));     // 12
    OUT(asin(unit));      // 13
    OUT(acos(unit));      // 14
    OUT(atan(x));         // 15
    OUT(sinh(unit * 5.0)); // 16
    OUT(cosh(unit * 5.0)); // 17
    OUT(tanh(unit * 5.0)); // 18
    OUT(asinh(x));        // 19
    OUT(acosh(1.0 + p));  // 20
    OUT(atanh(unit * 0.9)); // 21
    OUT(atan(y, x));      // 22
    OUT(pow(p + 0.01, clamp(y, -5.0, 5.0))); // 23
    OUT(exp(small));      // 24
    OUT(log(p + 0.001));  // 25
    OUT(exp2(small));     // 26
    OUT(log2(p + 0.001)); // 27
    OUT(sqrt(p));         // 28
    OUT(inversesqrt(p + 0.001)); // 29
    OUT(determinant(mat2(x, y, 1.0, 2.0))); // 30
    OUT(min(x, y));       // 31
    OUT(max(x, y));       // 32
    OUT(clamp(x, -1.0, 2.0)); // 33
    OUT(mix(x, y, 0.25)); // 34
    OUT(step(x, y));      // 35
    OUT(smoothstep(-10.0, 10.0, x)); // 36
    OUT(fma(x, y, 1.0));  // 37
    OUT(length(vec3(x, y, 2.0))); // 38
    OUT(distance(vec2(x, y), vec2(1.0, 1.0))); // 39
    OUT(cross(vec3(x, y, 1.0), vec3(2.0, 3.0, 4.0)).x); // 40
    OUT(normalize(vec3(x, y, 3.0)).x); // 41
    OUT(faceforward(vec3(x), vec3(y), vec3(1.0)).y); // 42
    OUT(reflect(vec2(x, y), vec2(0.6, 0.8)).x); // 43
    OUT(refract(vec2(0.6, -0.8), vec2(0.0, 1.0), 0.5).y); // 44
    float whole;
    OUT(modf(x, whole));  // 45
    OUT(whole);           // 46
    int e;
    OUT(frexp(x, e));     // 47
    OUT(float(e));        // 48
    OUT(ldexp(unit, 3));  // 49
    OUT(uintBitsToFloat(packUnorm4x8(vec4(unit, 0.5, -1.0, 2.0)))); // 50
    OUT(uintBitsToFloat(packSnorm2x16(vec2(unit, -0.5)))); // 51
    OUT(uintBitsToFloat(packHalf2x16(vec2(unit, x)))); // 52
    OUT(unpackHalf2x16(packHalf2x16(vec2(unit, 0.0))).x); // 53
    OUT(unpackUnorm2x16(floatBitsToUint(x)).y); // 54
    OUT(unpackSnorm4x8(floatBitsToUint(x)).z); // 55
    OUT(inverse(mat2(x + 300.0, 1.0, 2.0, y + 300.0))[0][1]); // 56
    OUT(x / (p + 1.0));   // 57
    OUT(mod(x, 3.0));     // 58
    OUT(dot(vec4(x, y, 1.0, 2.0), vec4(3.0, 4.0, 5.0, 6.0))); // 59
    OUT(float(int(clamp(x, -1000.0, 1000.0)))); // 60
    OUT(float(uint(p)));  // 61
    OUT(isnan(x) ? 1.0 : 0.0); // 62
    OUT(isinf(x) ? 1.0 : 0.0); // 63
}
