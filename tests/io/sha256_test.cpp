#include <millrace/io/sha256.h>

#include "catch.h"
#include "io/scratch.h"

#include <algorithm>
#include <utility>

using namespace millrace;
using namespace millrace::test;

namespace {

std::string hash_of(std::span<const std::byte> bytes, std::size_t piece = 1 << 20) {
  Sha256 hash;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    hash.append(bytes.subspan(at, std::min(piece, bytes.size() - at)));
  }
  return std::move(hash).hex();
}

std::string hash_of(std::string_view text) {
  return hash_of(std::as_bytes(std::span(text)));
}

}  // namespace

TEST_CASE("hashes are those of FIPS 180-4's examples") {
  CHECK(hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("hashes of all lengths, in pieces and of files, are those of Python's hashlib") {
  // sha256 of the hexadecimal hashes of bytes(i % 251 for i in range(n)), n from 0 to 199.
  std::string all;
  for (std::size_t n = 0; n < 200; ++n) {
    std::vector<std::byte> bytes(n);
    for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(i % 251);
    const std::string whole = hash_of(bytes);
    CHECK(hash_of(bytes, 1) == whole);
    CHECK(hash_of(bytes, 67) == whole);
    all += whole;
  }
  CHECK(hash_of(all) == "7a38a844c9e159de39f0862ee2e28569a8250831150a3fbf0a59c001129b2fb2");
  const Scratch scratch;
  std::vector<std::byte> large(3 * 1024 * 1024 + 5);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::byte>(i * 7 % 256);
  CHECK(sha256_of_file(scratch.write("large", large)) ==
        "41fbed9f0d5d1683eb3c1727486c0baf37666b085228ba7ea57e041d65994e28");
  CHECK(sha256_of_file(scratch.write("none", "")) == hash_of(""));
}
