#include <millrace/core/buffer.h>

#include "catch.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

using namespace millrace;

TEST_CASE("host memory is zeroed and aligned for vector units") {
  const Buffer buffer(1000_B);
  REQUIRE(buffer.size() == 1000);
  CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
  const std::span<std::uint8_t> bytes = buffer.as<std::uint8_t>();
  CHECK(std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; }));
}

TEST_CASE("a buffer is seen as whole elements") {
  CHECK(Buffer(10_B).as<float>().size() == 2);
  CHECK(Buffer().as<float>().empty());
  CHECK(Buffer(0_B).data() == nullptr);
}

TEST_CASE("memory of another kind is given back once, by its last owner") {
  alignas(64) std::byte memory[64] = {};
  int released = 0;
  {
    Buffer lent(memory, 64_B, [&](std::byte* p) { released += p == memory ? 1 : 0; });
    Buffer owner = std::move(lent);
    CHECK(owner.data() == memory);
    CHECK(released == 0);
  }
  CHECK(released == 1);
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Buffer>);
}

TEST_CASE("sizes are rounded up to multiples of a power of two") {
  CHECK(round_up(0, 64) == 0);
  CHECK(round_up(1, 64) == 64);
  CHECK(round_up(64, 64) == 64);
  CHECK(round_up(65, 64) == 128);
}
