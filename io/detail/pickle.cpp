#include <millrace/io/detail/pickle.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/detail/pickle_names.h>

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <utility>

namespace millrace::detail {
namespace {

using Kind = PickleObject::Kind;
using Parts = std::vector<PickleRef>;

constexpr std::uint64_t kLatestProtocol = 5;
// A tensor of a state_dict takes about 50 opcodes and 15 objects. What is built takes memory in
// proportion to these two, whatever the pickle refers to how often.
constexpr std::size_t kMostOpcodes = 10 * Pickle::kMostObjects;

/// The machine that pickles are programs of, less all that does more than to build data.
class Machine {
 public:
  Machine(FileInput& input, std::span<const std::string_view> functions)
      : input_(input), functions_(functions) {}

  PickleRef run() {
    for (std::size_t count = 0; count < kMostOpcodes; ++count) {
      const std::uint8_t opcode = input_.byte();
      if (opcode == '.') return pop();
      const bool is_known = number(opcode) || text(opcode) || group(opcode) || fill(opcode) ||
                            remember(opcode) || call(opcode);
      if (!is_known) refuse_opcode(opcode);
    }
    is_too_large();
  }

  std::vector<PickleObject> take_objects() && { return std::move(objects_); }

 private:
  bool number(std::uint8_t opcode) {
    switch (opcode) {
      case 'N': push({}); return true;
      case 0x88: push({Kind::boolean, 1, {}, {}}); return true;
      case 0x89: push({Kind::boolean, 0, {}, {}}); return true;
      case 'K': push_integer(input_.number(1)); return true;
      case 'M': push_integer(input_.number(2)); return true;
      case 'J': push_signed(input_.number(4), 4); return true;
      case 0x8a: push_long(input_.byte()); return true;
      case 'G':
        input_.number(8);  // no weight lies in the pickle
        push({Kind::real, 0, {}, {}});
        return true;
      default: return false;
    }
  }

  void push_integer(std::uint64_t value) {
    push({Kind::integer, static_cast<std::int64_t>(value), {}, {}});
  }

  void push_signed(std::uint64_t value, std::size_t bytes) {
    if (bytes == 0) return push_integer(0);
    const auto unused = static_cast<int>(64 - 8 * bytes);
    push_integer(
        static_cast<std::uint64_t>(std::bit_cast<std::int64_t>(value << unused) >> unused));
  }

  void push_long(std::size_t bytes) {
    if (bytes <= 8) return push_signed(input_.number(bytes), bytes);
    push({Kind::long_integer, 0, input_.text(bytes), {}});
  }

  bool text(std::uint8_t opcode) {
    switch (opcode) {
      case 'X':                                            // BINUNICODE
      case 'T': push_text(input_.number(4)); return true;  // BINSTRING
      case 0x8c:                                           // SHORT_BINUNICODE
      case 'U': push_text(input_.number(1)); return true;  // SHORT_BINSTRING
      default: return false;
    }
  }

  void push_text(std::uint64_t length) {
    if (length > input_.left()) ends_early();
    text_bytes_ += length;
    if (text_bytes_ > Pickle::kMostText) is_damaged("the texts of its pickle take over 64 MiB");
    push({Kind::text, 0, input_.text(length), {}});
  }

  bool group(std::uint8_t opcode) {
    switch (opcode) {
      case '(': marks_.push_back(stack_.size()); return true;
      case ')': push({Kind::tuple, 0, {}, {}}); return true;
      case ']': push({Kind::list, 0, {}, {}}); return true;
      case '}': push({Kind::dict, 0, {}, {}}); return true;
      case 't': push({Kind::tuple, 0, {}, pop_to_mark()}); return true;
      case 0x85:
      case 0x86:
      case 0x87: push({Kind::tuple, 0, {}, pop_some(opcode - 0x84U)}); return true;
      default: return false;
    }
  }

  bool fill(std::uint8_t opcode) {
    switch (opcode) {
      case 'a': append(Kind::list, pop_some(1)); return true;
      case 'e': append(Kind::list, pop_to_mark()); return true;
      case 's': append(Kind::dict, pop_some(2)); return true;
      case 'u': append(Kind::dict, pop_to_mark()); return true;
      case 'b':  // the attributes of an OrderedDict: versions of modules
        pop();
        if (top().kind != Kind::dict) {
          throw Error(
              concat("its pickle has the opcode BUILD for something that is no dict; it is "
                     "not run; ",
                     kAdvice));
        }
        return true;
      default: return false;
    }
  }

  void append(Kind kind, const Parts& parts) {
    Parts& to = top().parts;
    if (top().kind != kind || (kind == Kind::dict && parts.size() % 2 != 0)) {
      is_damaged("its pickle puts something into what cannot hold it");
    }
    to.insert(to.end(), parts.begin(), parts.end());
  }

  bool remember(std::uint8_t opcode) {
    switch (opcode) {
      case 0x80:
        if (input_.number(1) > kLatestProtocol) is_damaged("its pickle has an unknown protocol");
        return true;
      case 0x95: input_.number(8); return true;  // FRAME, a hint for whoever reads in pieces
      case 'q': keep(input_.number(1)); return true;
      case 'r': keep(input_.number(4)); return true;
      case 0x94: keep(memo_.size()); return true;
      case 'h': recall(input_.number(1)); return true;
      case 'j': recall(input_.number(4)); return true;
      default: return false;
    }
  }

  void keep(std::uint64_t place) {
    (void)top();
    memo_[place] = stack_.back();
    if (memo_.size() > Pickle::kMostObjects) is_too_large();
  }

  void recall(std::uint64_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) is_damaged("its pickle refers to an object that is not there");
    stack_.push_back(found->second);
  }

  bool call(std::uint8_t opcode) {
    switch (opcode) {
      case 'c': {
        const std::string module = line();
        push_global(module, line());
        return true;
      }
      case 0x93: {  // STACK_GLOBAL
        const Parts names = pop_some(2);
        for (const PickleRef name : names) {
          if (objects_[name].kind != Kind::text) is_damaged("its pickle names a class by no text");
        }
        push_global(objects_[names[0]].text, objects_[names[1]].text);
        return true;
      }
      case 'R': reduce(); return true;
      case 'Q': push({Kind::persistent, 0, {}, pop_some(1)}); return true;
      default: return false;
    }
  }

  std::string line() {
    constexpr std::size_t kLongest = 200;
    std::string text;
    while (true) {
      const auto c = static_cast<char>(input_.byte());
      if (c == '\n') return text;
      text += c;
      if (text.size() > kLongest) is_damaged("its pickle has a name without an end");
    }
  }

  void push_global(const std::string& module, const std::string& name) {
    constexpr std::size_t kShown = 100;
    const std::string text = module + '.' + name;
    if (std::find(functions_.begin(), functions_.end(), text) == functions_.end()) {
      throw Error(concat("its pickle asks for ", shown(text.substr(0, kShown)),
                         text.size() > kShown ? "..." : "",
                         ", which weights do not need; it is not run; ", kAdvice));
    }
    push({Kind::global, 0, text, {}});
  }

  void reduce() {
    const Parts call = pop_some(2);
    const PickleObject &function = objects_[call[0]], &arguments = objects_[call[1]];
    if (function.kind != Kind::global || arguments.kind != Kind::tuple) {
      is_damaged("its pickle calls what is no function");
    }
    if (function.text != "collections.OrderedDict") return push({Kind::call, 0, {}, call});
    push({Kind::dict, 0, {}, pairs(arguments)});
  }

  /// Python 2 gives an OrderedDict its items as a list of pairs, Python 3 fills it later.
  Parts pairs(const PickleObject& arguments) {
    Parts parts;
    if (arguments.parts.empty()) return parts;
    const PickleObject& list = objects_[arguments.parts.front()];
    copied_ += list.parts.size();  // the same list may come again and again
    if (copied_ > Pickle::kMostObjects) is_too_large();
    for (const PickleRef one : list.parts) {
      const PickleObject& pair = objects_[one];
      const bool is_group = pair.kind == Kind::tuple || pair.kind == Kind::list;
      if (!is_group || pair.parts.size() != 2) is_damaged("an OrderedDict is not made of pairs");
      parts.insert(parts.end(), pair.parts.begin(), pair.parts.end());
    }
    return parts;
  }

  void push(PickleObject object) {
    if (objects_.size() >= Pickle::kMostObjects) is_too_large();
    stack_.push_back(static_cast<PickleRef>(objects_.size()));
    objects_.push_back(std::move(object));
  }

  [[nodiscard]] std::size_t above_mark() const {
    return stack_.size() - (marks_.empty() ? 0 : marks_.back());
  }

  PickleObject& top() {
    if (above_mark() == 0) is_damaged("its pickle takes from an empty stack");
    return objects_[stack_.back()];
  }

  PickleRef pop() {
    (void)top();
    const PickleRef last = stack_.back();
    stack_.pop_back();
    return last;
  }

  Parts pop_some(std::size_t count) {
    if (above_mark() < count) is_damaged("its pickle takes from an empty stack");
    Parts parts(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return parts;
  }

  Parts pop_to_mark() {
    if (marks_.empty()) is_damaged("its pickle has no mark where one is needed");
    Parts parts = pop_some(above_mark());
    marks_.pop_back();
    return parts;
  }

  FileInput& input_;
  std::span<const std::string_view> functions_;
  std::vector<PickleObject> objects_;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleRef> memo_;
  std::size_t copied_ = 0;
  std::uint64_t text_bytes_ = 0;
};

}  // namespace

Pickle::Pickle(FileInput& input, std::span<const std::string_view> functions) {
  Machine machine(input, functions);
  root_ = machine.run();
  objects_ = std::move(machine).take_objects();
}

const PickleObject* Pickle::value(const PickleObject& dict, std::string_view key) const {
  for (std::size_t i = dict.parts.size(); i >= 2; i -= 2) {
    const PickleObject& name = objects_[dict.parts[i - 2]];
    if (name.kind == Kind::text && name.text == key) return &objects_[dict.parts[i - 1]];
  }
  return nullptr;
}

std::vector<const PickleObject*> Pickle::all(Kind kind) const {
  std::vector<const PickleObject*> found;
  for (const PickleObject& object : objects_) {
    if (object.kind == kind) found.push_back(&object);
  }
  return found;
}

}  // namespace millrace::detail
