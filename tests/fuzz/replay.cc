// Runs a fuzz target over files and folders of inputs, without libFuzzer: the corpora as ordinary tests.
// Fails when there is no input at all, so that a lost corpus is noticed.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

size_t replay(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) {
    std::ifstream in(path, std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
    return 1;
  }
  size_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) inputs += replay(entry.path());
  return inputs;
}

}  // namespace

int main(int argc, char** argv) {
  size_t inputs = 0;
  for (int i = 1; i < argc; ++i) inputs += replay(argv[i]);
  fmt::print("{} inputs\n", inputs);
  return inputs > 0 ? 0 : 1;
}
