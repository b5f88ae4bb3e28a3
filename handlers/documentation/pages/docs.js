// Swagger UI fills every field with its example. In optional fields, the examples would filter every task out of the
// first list, and have the first update rejected because of its If-Match.
function withoutOptionalExample(_, value) {
  if (value?.in && !value.required) {
    delete value.example;
  }
  return value;
}

// Swagger UI has no field for the items of a list that are UUIDs, and reports it as an error.
function uuidItems(system) {
  const field = (props) => system.React.createElement(props.getComponent("JsonSchema_string"), props);
  return { components: { JsonSchema_string_uuid: field } };
}

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  plugins: [uuidItems],
  responseInterceptor(response) {
    if (response.ok && response.url.endsWith("/openapi.json")) {
      response.text = JSON.stringify(JSON.parse(response.text, withoutOptionalExample));
    }
    return response;
  },
});
