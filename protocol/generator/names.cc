#include "protocol/generator/names.h"

#include <array>
#include <cctype>

namespace tidemark::codegen {
namespace {

constexpr std::array kKeywords = {"default", "delete", "operator", "namespace",
                                  "class",   "new",    "template", "union"};

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
bool is_upper(char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; }

}  // namespace

std::string snake_case(const std::string& name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    if (i > 0 && is_upper(name[i]) && !is_upper(name[i - 1])) out.push_back('_');
    out.push_back(lower(name[i]));
  }
  for (const char* keyword : kKeywords) {
    if (out == keyword) return out + "_";
  }
  return out;
}

std::string camel_case(const std::string& name) {
  std::string out = name;
  if (!out.empty()) out[0] = lower(out[0]);
  return out;
}

}  // namespace tidemark::codegen
