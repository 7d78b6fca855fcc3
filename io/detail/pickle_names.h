#pragma once
// What is said of pickles that are refused (pickle.h), and the names of opcodes that are.

#include <millrace/core/error.h>
#include <millrace/io/detail/pickle.h>
#include <millrace/io/detail/unread.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iomanip>
#include <string_view>
#include <utility>

namespace millrace::detail {

inline constexpr std::array<std::pair<std::uint8_t, std::string_view>, 31> kRefusedOpcodes{
    {{'0', "POP"},
     {'1', "POP_MARK"},
     {'2', "DUP"},
     {'F', "FLOAT"},
     {'I', "INT"},
     {'L', "LONG"},
     {'P', "PERSID"},
     {'S', "STRING"},
     {'V', "UNICODE"},
     {'d', "DICT"},
     {'g', "GET"},
     {'i', "INST"},
     {'l', "LIST"},
     {'o', "OBJ"},
     {'p', "PUT"},
     {'B', "BINBYTES"},
     {'C', "SHORT_BINBYTES"},
     {0x81, "NEWOBJ"},
     {0x82, "EXT1"},
     {0x83, "EXT2"},
     {0x84, "EXT4"},
     {0x8b, "LONG4"},
     {0x8d, "BINUNICODE8"},
     {0x8e, "BINBYTES8"},
     {0x8f, "EMPTY_SET"},
     {0x90, "ADDITEMS"},
     {0x91, "FROZENSET"},
     {0x92, "NEWOBJ_EX"},
     {0x96, "BYTEARRAY8"},
     {0x97, "NEXT_BUFFER"},
     {0x98, "READONLY_BUFFER"}}};

inline constexpr const char* kAdvice =
    "save its state_dict alone: torch.save(model.state_dict(), FILE)";

[[noreturn]] inline void is_too_large() {
  throw Error(concat("its pickle is larger than that of any model: more than ",
                     Pickle::kMostObjects, " objects; ", kAdvice));
}

[[noreturn]] inline void refuse_opcode(std::uint8_t opcode) {
  const auto known = std::find_if(kRefusedOpcodes.begin(), kRefusedOpcodes.end(),
                                  [&](const auto& one) { return one.first == opcode; });
  if (known == kRefusedOpcodes.end()) {
    is_damaged(concat("its pickle has the byte 0x", std::hex, std::setfill('0'), std::setw(2),
                      int{opcode}, ", which is no opcode"));
  }
  throw Error(concat("its pickle has the opcode ", known->second,
                     ", which weights do not need; it is not run; ", kAdvice));
}

}  // namespace millrace::detail
