#pragma once
// Names of the opcodes of pickles that are refused (pickle.h).

#include <array>
#include <cstdint>
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

}  // namespace millrace::detail
