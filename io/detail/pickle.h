#pragma once
// Python's pickles as data. A pickle is a program: it can name any function and have it called.
// Nothing of it is run here. The opcodes that write numbers, texts, lists, tuples and dicts build
// objects; a call is an object too, for whoever reads it to make sense of, and only functions that
// the reader names may be called. All else is refused by its name.
// The opcodes: Python's module pickletools.

#include <millrace/io/detail/file_input.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::detail {

/// Index of an object. Objects may hold each other in circles.
using PickleRef = std::uint32_t;

struct PickleObject {
  enum class Kind : std::uint8_t {
    none,
    boolean,
    integer,
    long_integer,  ///< of more than eight bytes, which are the text
    real,
    text,
    global,  ///< a class or function by its name, "torch._utils._rebuild_tensor_v2"
    tuple,
    list,
    dict,        ///< also an OrderedDict; keys and values in turn
    call,        ///< the global and the tuple of its arguments
    persistent,  ///< what lies outside of the pickle: its identification
  };
  Kind kind = Kind::none;
  std::int64_t integer = 0;  ///< of boolean and integer
  std::string text;
  std::vector<PickleRef> parts;
};

/// One pickle, read whole.
class Pickle {
 public:
  /// Reads from the front of `input` up to the opcode STOP. `functions`: the globals that may
  /// appear. Throws Error, without the name of the file: it ends early, it is damaged, it has more
  /// than kMostObjects objects or kMostText bytes of text, or holds something that is refused.
  Pickle(FileInput& input, std::span<const std::string_view> functions);

  static constexpr std::size_t kMostObjects = 2'000'000;
  static constexpr std::uint64_t kMostText = 64 << 20;

  [[nodiscard]] const PickleObject& root() const noexcept { return objects_[root_]; }
  /// Requires: there is such a part.
  [[nodiscard]] const PickleObject& part(const PickleObject& of, std::size_t index) const {
    return objects_[of.parts[index]];
  }
  /// The value of a dict's last key that is this text; nullptr if there is none.
  [[nodiscard]] const PickleObject* value(const PickleObject& dict, std::string_view key) const;
  /// All objects of one kind, in the order in which they came.
  [[nodiscard]] std::vector<const PickleObject*> all(PickleObject::Kind kind) const;

 private:
  std::vector<PickleObject> objects_;
  PickleRef root_ = 0;
};

}  // namespace millrace::detail
