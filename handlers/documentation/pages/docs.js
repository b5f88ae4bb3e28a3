// Swagger UI fills every field with its example. In fields that may stay empty these would narrow the first list to
// nothing and have the first change refused.
function withoutOptionalExample(_, value) {
  if (value?.in && !value.required) {
    delete value.example;
  }
  return value;
}

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  responseInterceptor(response) {
    if (response.ok && response.url.endsWith("/openapi.json")) {
      response.text = JSON.stringify(JSON.parse(response.text, withoutOptionalExample));
    }
    return response;
  },
});
