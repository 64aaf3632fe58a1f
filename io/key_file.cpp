#include "io/key_file.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/unique_fd.h"

namespace colo::io {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::size_t text_bytes = key_bytes * 2;

std::string key_text(const Key& key) {
  std::string text;
  text.reserve(text_bytes + 1);
  for (const std::byte byte : key) {
    text += hex_digits[std::to_integer<std::size_t>(byte >> 4)];
    text += hex_digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text + '\n';
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::string replacement_remedy(const std::filesystem::path& path) {
  return "make one with `colo keygen " + path.string() + "` and copy it to the other host";
}

Result<void> write_whole(int fd, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return fail("key-not-written", path.string() + ": " + std::strerror(errno));
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd) != 0) {
    return fail("key-not-written", path.string() + ": " + std::strerror(errno));
  }
  return {};
}

Result<void> check_permissions(int fd, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail("key-malformed", path.string() + " is not a regular file",
                replacement_remedy(path));
  }
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return fail("key-permissions",
                path.string() + " belongs to user " + std::to_string(status.st_uid) +
                    ", who could read or change it",
                "chown it to user " + std::to_string(::geteuid()));
  }
  if ((status.st_mode & 077U) != 0) {
    std::string mode;
    for (const unsigned shift : {6U, 3U, 0U}) {
      mode += static_cast<char>('0' + ((status.st_mode >> shift) & 7U));
    }
    return fail("key-permissions",
                path.string() + " has mode " + mode + ": others than its owner have access",
                "chmod 600 " + path.string());
  }
  return {};
}

}  // namespace

Result<void> create_key_file(const std::filesystem::path& path) {
  Key key{};
  COLO_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), key_bytes) == 1);
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    if (errno == EEXIST) {
      return fail("key-exists", path.string() + " exists and is never overwritten",
                  "remove it first if it is no longer used on any host");
    }
    return fail("key-not-written", path.string() + ": " + std::strerror(errno));
  }
  std::string text = key_text(key);
  Result<void> written = write_whole(file.get(), text, path);
  OPENSSL_cleanse(text.data(), text.size());
  OPENSSL_cleanse(key.data(), key.size());
  if (!written) ::unlink(path.c_str());
  return written;
}

Result<Key> read_key_file(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    if (errno == EACCES) {
      return fail("key-permissions", path.string() + ": " + std::strerror(errno),
                  "run as its owner");
    }
    return fail("key-missing", path.string() + ": " + std::strerror(errno),
                replacement_remedy(path));
  }
  if (auto allowed = check_permissions(file.get(), path); !allowed) return fail(allowed.error());

  std::array<char, text_bytes + 8> text{};  // a little more than a key, to see that it is longer
  const ssize_t count = ::read(file.get(), text.data(), text.size());
  std::size_t size = count < 0 ? 0 : static_cast<std::size_t>(count);
  while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) --size;
  Key key{};
  bool good = size == text_bytes;
  for (std::size_t i = 0; good && i < key_bytes; ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    good = high >= 0 && low >= 0;
    if (good) key[i] = static_cast<std::byte>(high * 16 + low);
  }
  OPENSSL_cleanse(text.data(), text.size());
  if (!good) {
    return fail("key-malformed", path.string() + " does not hold exactly 64 hex digits",
                replacement_remedy(path));
  }
  return key;
}

Key derive_key(const Key& key, std::string_view label) {
  // The parameters are only read, but OpenSSL's constructors take them without const.
  char digest[] = "SHA256";
  char salt[] = "colo key 1";
  Key material = key;
  std::string info(label);
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, material.data(), material.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof salt - 1),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end()};
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  COLO_CHECK(kdf != nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  COLO_CHECK(context != nullptr);
  Key derived{};
  COLO_CHECK(EVP_KDF_derive(context, reinterpret_cast<unsigned char*>(derived.data()),
                            derived.size(), parameters) == 1);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  OPENSSL_cleanse(material.data(), material.size());
  return derived;
}

}  // namespace colo::io
